"""`tls://HOST:PORT`: certificates from Dask's own configuration; without them, no answer."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import dask
import pytest
from dask_processes import announced, ended, start, wait_for_workers
from sweep_cases import bits, measurements

from simdl.errors import InputError


def test_a_scheduler_behind_certificates(installed: Path, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl makes certificates here")
    key, certificate, file = (tmp_path / name for name in ("key.pem", "cert.pem", "at.json"))
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=simdl",
         "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    tls = ["--tls-ca-file", certificate, "--tls-cert", certificate, "--tls-key", key]
    common = ["--scheduler-file", file, "--host", "tls://127.0.0.1", "--no-dashboard", *tls]
    processes = [start("scheduler", *common, "--port", "0", "--dashboard-address", "127.0.0.1:0",
                       cwd=tmp_path)]  # fmt: skip
    with ended(processes):
        executor = announced(file, processes[0])
        processes.append(start("worker", *common, "--nthreads", "1", cwd=tmp_path, path=installed))
        assert executor.startswith("tls://127.0.0.1:")
        with pytest.raises(InputError, match=r"no Dask scheduler answers there .*certificates"):
            measurements().run(executor=executor)
        parts = {"ca-file": str(certificate), "client.cert": str(certificate),
                 "client.key": str(key)}  # fmt: skip
        with dask.config.set({f"distributed.comm.tls.{k}": v for k, v in parts.items()}):
            wait_for_workers(executor, 1)
            assert bits(measurements().run(executor=executor)) == bits(measurements().run())
