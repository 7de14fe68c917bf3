"""deploy-magics: the server, its users and tokens, its health, a backup of it."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from deploy_magics.errors import DeployMagicsError, InteractionError, UsageError
from deploy_magics.server.settings import DEFAULT_PORT, Settings, default_data_dir

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Errors that a user can cause are one line on stderr, and the exit code 1."""
    options = _parser().parse_args(arguments)
    try:
        command: Command = options.command
        return command(options)
    except DeployMagicsError as error:
        print(f"deploy-magics: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--data-dir", type=Path, help=f"where the server keeps its things ({default_data_dir()})"
    )
    place.add_argument("--database-url", help="SQLite in the data folder unless given")
    place.add_argument(
        "--key-file", type=Path, help="the server's secrets (beside the data folder)"
    )
    place.add_argument("--blob-url", help="a folder or an fsspec address for uploaded zips")

    parser = argparse.ArgumentParser(prog="deploy-magics", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    serve = commands.add_parser("serve", parents=[place], help="run the server")
    serve.add_argument("--host", help="127.0.0.1 unless given")
    serve.add_argument("--port", type=int, help=f"{DEFAULT_PORT} unless given; 0 takes a free one")
    serve.add_argument("--scheduler", help="a Dask scheduler that runs the models, tcp://host:port")
    serve.add_argument("--public-url", help="the address under which people reach it")
    serve.add_argument("--allowed-host", action="append", help="a further name it answers to")
    serve.add_argument("--trusted-proxy", action="append", help="believe X-Forwarded-* from there")
    serve.add_argument(
        "--behind-tls", action="store_true", default=None, help="a TLS proxy is in front"
    )
    serve.add_argument(
        "--allow-plain-http",
        action="store_true",
        default=None,
        help="serve other machines unencrypted, passwords included",
    )
    serve.add_argument("--keep-logs-days", type=float, help="remove the logs of ended runs after")
    serve.add_argument("--no-worker", action="store_true", help="only the web; runs wait")
    serve.set_defaults(command=_serve)

    token = commands.add_parser("token", help="create a refresh token").add_subparsers(
        required=True, metavar="action"
    )
    create = token.add_parser("create", parents=[place], help="print a new token, once")
    create.add_argument("--name", default="command line")
    create.add_argument("--user", help="the account; the owner's unless given")
    create.add_argument(
        "--scope", action="append", choices=("read", "deploy", "trade"), help="all unless given"
    )
    create.add_argument("--days", type=float, help="how long it is good for")
    create.set_defaults(command=_token_create)
    _tokens_commands(token, place)
    _user_commands(commands, place)

    doctor = commands.add_parser("doctor", parents=[place], help="look for what is wrong")
    doctor.set_defaults(command=_doctor)
    backup = commands.add_parser("backup", parents=[place], help="copy everything, while it runs")
    backup.add_argument("folder", type=Path, help="a new folder")
    backup.set_defaults(command=_backup)
    return parser


def _tokens_commands(token: Any, place: argparse.ArgumentParser) -> None:
    listed = token.add_parser("list", parents=[place], help="what tokens there are")
    listed.add_argument("--user")
    listed.set_defaults(command=_token_list)
    revoke = token.add_parser("revoke", parents=[place], help="end a token at once")
    revoke.add_argument("id")
    revoke.add_argument("--user")
    revoke.set_defaults(command=_token_revoke)


def _user_commands(commands: Any, place: argparse.ArgumentParser) -> None:
    user = commands.add_parser("user", help="who may sign in").add_subparsers(
        required=True, metavar="action"
    )
    for name, action, text in (
        ("add", _user_add, "a new account; asks for its password"),
        ("passwd", _user_passwd, "another password"),
        ("remove", _user_remove, "with everything that it has"),
    ):
        one = user.add_parser(name, parents=[place], help=text)
        one.add_argument("name")
        one.set_defaults(command=action)
        if name == "add":
            one.add_argument("--email")
        if name != "remove":
            one.add_argument(
                "--password-env", metavar="NAME", help="take the password from this variable"
            )
    listed = user.add_parser("list", parents=[place], help="who there is")
    listed.set_defaults(command=_user_list)


def _settings(options: argparse.Namespace, **more: Any) -> Settings:
    return Settings.load(
        data_dir=options.data_dir,
        database_url=options.database_url,
        key_file=options.key_file,
        blob_url=options.blob_url,
        **more,
    )


def _open(options: argparse.Namespace) -> Any:
    from deploy_magics.server.services import Services

    return closing(Services.open(_settings(options)))


def _serve(options: argparse.Namespace) -> int:
    from deploy_magics.server.serve import serve

    settings = _settings(
        options,
        host=options.host,
        port=options.port,
        scheduler=options.scheduler,
        public_url=options.public_url,
        allowed_hosts=tuple(options.allowed_host) if options.allowed_host else None,
        trusted_proxies=tuple(options.trusted_proxy) if options.trusted_proxy else None,
        behind_tls=options.behind_tls,
        allow_plain_http=options.allow_plain_http,
        keep_logs_days=options.keep_logs_days,
    )
    return serve(settings, workers=not options.no_worker)


def _who(services: Any, name: str | None) -> Any:
    from deploy_magics.server.services.accounts import principal

    account = services.accounts.by_name(name) if name else services.accounts.ensure_owner()[0]
    return principal(account)


def _token_create(options: argparse.Namespace) -> int:
    from deploy_magics.server.services.principal import SCOPES

    with _open(options) as services:
        seconds = options.days * 86_400 if options.days else None
        text, _ = services.tokens.create(
            _who(services, options.user), options.name, options.scope or SCOPES, seconds=seconds
        )
    print(text)
    return 0


def _token_list(options: argparse.Namespace) -> int:
    with _open(options) as services:
        for row in services.tokens.list(_who(services, options.user)):
            print(f"{row.id}  {_day(row.created_at)}  {row.scopes:<18}  {row.name}")
    return 0


def _token_revoke(options: argparse.Namespace) -> int:
    with _open(options) as services:
        services.tokens.revoke(_who(services, options.user), options.id)
    return 0


def _user_add(options: argparse.Namespace) -> int:
    password = _password(options.password_env)
    with _open(options) as services:
        services.accounts.ensure_owner()
        services.accounts.create(options.name, password, email=options.email)
    return 0


def _user_passwd(options: argparse.Namespace) -> int:
    password = _password(options.password_env)
    with _open(options) as services:
        services.accounts.set_password(options.name, password)
    return 0


def _user_remove(options: argparse.Namespace) -> int:
    with _open(options) as services:
        services.accounts.remove(options.name)
    return 0


def _user_list(options: argparse.Namespace) -> int:
    with _open(options) as services:
        for row in services.accounts.list():
            notes = " (owner)" if row.owner else ""
            print(f"{_day(row.created_at)}  {row.name}{notes}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from deploy_magics.server.doctor import examine

    worst = 0
    for finding in examine(_settings(options)):
        print(f"{finding.level:<8} {finding.text}")
        worst = max(worst, ("ok", "warning", "error").index(finding.level))
    return 1 if worst == 2 else 0


def _backup(options: argparse.Namespace) -> int:
    from deploy_magics.server.backup import backup

    settings = _settings(options)
    print(backup(settings, options.folder.absolute()))
    print(f"Not in it: the key file {settings.keys}; keep a copy elsewhere.", file=sys.stderr)
    return 0


def _password(variable: str | None) -> str:
    if variable:
        value = os.environ.get(variable)
        if not value:
            raise UsageError(f"The variable {variable} is not set.")
        return value
    if not sys.stdin.isatty():
        raise InteractionError("There is nobody to type a password.", "Give --password-env NAME.")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise UsageError("The two passwords differ.")
    return first


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


if __name__ == "__main__":
    sys.exit(main())
