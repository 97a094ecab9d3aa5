"""Starting the dashboard: Streamlit on this machine's own address unless told otherwise."""

import ipaddress
import os
import socket
import sys
from pathlib import Path

from backend.errors import UserError


def start(
    *, home: str | None, port: int | None, address: str, no_login: bool, browser: bool
) -> int:
    """Run the dashboard until it is stopped; returns the exit code.

    Raises
    ------
    UserError : the port is taken, or another address than loopback is asked for without a login.
    """
    app = _app()
    if not _is_loopback(address) and not _has_login(app.parent) and not no_login:
        raise UserError(
            f"--address {address} would let everyone on the network in.",
            "Configure [auth] in .streamlit/secrets.toml, or add --no-login if that is meant.",
        )
    port = port or 8501
    if _is_taken(address, port):
        raise UserError(
            f"Port {port} is taken, perhaps by a dashboard that is running.",
            f"Open http://{address}:{port}, or choose another port with --port.",
        )
    if home:
        os.environ["PENULTIMATE_HOME"] = str(Path(home).expanduser().resolve())
    os.chdir(app.parent)  # where .streamlit/config.toml lies
    options = {
        "server.port": port,
        "server.address": address,
        "server.showEmailPrompt": "false",
        "server.headless": str(not browser).lower(),
    }
    sys.argv = ["streamlit", "run", str(app), *(f"--{k}={v}" for k, v in options.items())]
    from streamlit.web.cli import main

    main()
    return 0


def _app() -> Path:
    """app.py: inside the wheel, or beside the package in a checkout."""
    packaged = Path(__file__).parent / "_dashboard" / "app.py"
    return packaged if packaged.exists() else Path(__file__).parent.parent / "app.py"


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _has_login(folder: Path) -> bool:
    import tomllib

    for base in (Path.cwd(), folder, Path.home()):
        secrets = base / ".streamlit" / "secrets.toml"
        if secrets.exists() and "auth" in tomllib.loads(secrets.read_text()):
            return True
    return False


def _is_taken(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address if address != "0.0.0.0" else "127.0.0.1", port)) == 0
