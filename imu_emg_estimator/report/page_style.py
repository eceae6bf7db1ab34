"""The look of a report: on a phone, on a wide screen, in the dark and on paper."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d1d9e0; --paper: #fff; --card: #f6f8fa;
  --before: #b35900; --estimate: #0757c4; --good: #116329; --doubted: #8a5300; --bad: #b3141d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9da7b3; --line: #3d444d; --paper: #0d1117;
  --card: #161b22; --before: #f0953f; --estimate: #6cb0ff; --good: #56d364; --doubted: #e3b341; --bad: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0 1rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; padding-top: .5rem; border-top: 1px solid var(--line); }
p { max-width: 46rem; margin: .5rem 0; } ul { padding-left: 1.2rem; } li { max-width: 46rem; margin: .25rem 0; }
.headline { font-size: 1.1rem; padding: .6rem .9rem; border-left: .35rem solid; background: var(--card); }
.good { color: var(--good); } .doubted { color: var(--doubted); } .bad { color: var(--bad); }
dl { display: grid; grid-template-columns: fit-content(16rem) 1fr; gap: .15rem 1rem; margin: 1rem 0; }
dt { color: var(--soft); } dd { margin: 0; }
pre, code { font: .85rem/1.4 ui-monospace, monospace; white-space: pre-wrap; }
pre { margin: .5rem 0; padding: .6rem; background: var(--card); border: 1px solid var(--line); border-radius: 4px; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; margin: .75rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; overflow-wrap: normal; } td:first-child { font-weight: 600; }
figure { margin: 1rem 0; } figcaption { color: var(--soft); font-size: .9rem; max-width: 46rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }
svg { width: 100%; max-width: 34rem; height: auto; display: block; font: 11px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .soft { fill: var(--soft); } svg .title { font-weight: 600; font-size: 12px; }
svg path, svg line, svg circle { fill: none; stroke-width: 1.4; stroke-linejoin: round; }
svg .grid { stroke: var(--line); stroke-width: .8; } svg .measured { stroke: var(--ink); }
svg .before { stroke: var(--before); stroke-dasharray: 4 2; } svg .estimate { stroke: var(--estimate); }
svg .band { fill: var(--estimate); fill-opacity: .16; stroke: none; }
svg text.before { fill: var(--before); stroke: none; } svg text.estimate { fill: var(--estimate); stroke: none; }
svg text.measured { stroke: none; } svg circle.estimate { fill: var(--estimate); }
svg circle.before { stroke-dasharray: none; }
footer { margin-top: 2rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .85rem; }
@media (max-width: 40rem) {
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .4rem; }
  thead { display: none; } tr, td { display: block; } tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td { border: 0; padding: .1rem 0; }
  td:not(:first-child)::before { content: attr(data-name) ": "; color: var(--soft); font-weight: 400; }
}
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --card: #fff;
    --before: #a04f00; --estimate: #0a4fae; --good: #0a5020; --doubted: #6b4100; --bad: #99000f; }
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  section { break-inside: auto; } h2 { break-after: avoid; } tr, svg, .headline { break-inside: avoid; }
  .charts { grid-template-columns: 1fr 1fr; }
}
"""
