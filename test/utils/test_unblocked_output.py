"""What is written to standard output is handed on, and never waits for a reader."""

import os
import subprocess
import sys

CODE = """
import os
from imu_emg_estimator.utils.unblocked_output import unblocked_output
with unblocked_output():
    {work}
"""
PATIENCE_S = 60


def test_both_outputs_arrive_whole_before_the_end() -> None:
    work = "os.write(1, b'a' * 30000); os.write(2, b'b' * 30000)"
    ended = subprocess.run([sys.executable, "-c", CODE.format(work=work)], capture_output=True, timeout=PATIENCE_S)
    assert (ended.stdout, ended.stderr) == (b"a" * 30000, b"b" * 30000)


def test_writing_goes_on_though_nobody_reads() -> None:
    work = """
    for _ in range(1000):
        try:
            os.write(1, b'a' * 4096)
        except BlockingIOError:
            pass
    os.write(done, b'done')"""
    source, unread = os.pipe()
    told, done = os.pipe()
    brief = "from imu_emg_estimator.utils import unblocked_output as output\noutput.FLUSH_S = 0.2"
    command = [sys.executable, "-c", f"done = {done}\n{brief}" + CODE.format(work=work)]
    with subprocess.Popen(command, stdout=unread, pass_fds=[done]) as process:
        os.close(done)
        assert os.read(told, 10) == b"done"
        assert process.wait(PATIENCE_S) == 0
    for descriptor in (source, unread, told):
        os.close(descriptor)
