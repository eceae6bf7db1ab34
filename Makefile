.PHONY: help setup quick test coverage demo lint format types architecture docs reference urls clean
.DEFAULT_GOAL := help
env := scripts/run-in-env
pytest := -m pytest --no-loadscope-reorder --numprocesses

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*  ## /\1: /p' Makefile | awk -F': ' '{ printf "make %-14s%s\n", $$1, $$2 }'

setup:  ## .venv with ROS 2 and all else, interfaces built; later runs take seconds
	@scripts/setup.sh

quick: setup  ## the tests that are not marked slow, ros or hostile
	$(env) python $(pytest) 2

# Four processes on two cores, as those with ROS tests wait for most of their time.
test: setup  ## all tests, the ROS ones on real rclpy
	$(env) python $(pytest) 4 test

coverage: setup  ## branch coverage of the package under all tests, of every process that they start
	rm -rf build/coverage
	$(env) python -m coverage run $(pytest) 4 test; code=$$?; $(env) coverage combine --quiet; exit $$code
	$(env) coverage report --skip-covered --sort cover

demo: setup  ## live demo; DATA=<HuGaDB folder> plays a real subject instead of a simulated one
	$(env) python -m examples.demo $(if $(DATA),--data "$(DATA)")

lint: setup  ## ruff, spelling, retired words
	$(env) ruff check .
	$(env) ruff format --check .
	$(env) codespell
	$(env) python scripts/check_words.py

format: setup  ## ruff, repairing what it can
	$(env) ruff check --fix .
	$(env) ruff format .

types: setup  ## mypy
	$(env) mypy

architecture: setup  ## which part may import which
	$(env) lint-imports

docs: setup  ## the documentation site, into site/; fails on a broken link (Python 3.11 or newer)
	$(env) zensical build --clean --strict

reference: setup  ## generate the reference pages in docs/
	$(env) python scripts/generate_reference.py
	$(env) python scripts/reliability_tables.py

urls:  ## set the repository address everywhere; REPOSITORY_URL=<address>
	python3 scripts/set_repository_url.py "$(REPOSITORY_URL)"

clean:  ## removes .venv and everything built
	rm -rf .venv build install log site .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
