"""From a cell to a UbiOps package: its fields, its files, and a strategy that is wrapped."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from deploy_magics.actions import ubiops_session
from deploy_magics.actions.ubiops import name_of
from deploy_magics.actions.ubiops_env import env_set
from deploy_magics.actions.ubiops_fields import defines_deployment, given, read_off
from deploy_magics.actions.ubiops_package import package_of
from deploy_magics.actions.workspace import current
from deploy_magics.errors import NotSignedInError, UsageError
from deploy_magics.executor.data import load_prices
from deploy_magics.executor.environment import ensure_environment
from deploy_magics.executor.process import environment_of
from deploy_magics.model import Model

PRICES = Path(__file__).parents[2] / "notebooks" / "data" / "EUR-USD_1h.csv"
LIBRARY = ("blankly==1.18.25b0", "numpy<2")
STRATEGY = """
import blankly

def on_price(price, symbol, state):
    if price > 1:
        state.interface.market_order(symbol, side="buy", size=1)

prices = blankly.data.data_reader.PriceReader("./none.csv", "EUR-USD")
strategy = blankly.Strategy(blankly.KeylessExchange(price_reader=prices))
strategy.add_price_event(on_price, symbol="EUR-USD", resolution="1h")
strategy.backtest(to="1y", initial_values={"USD": 1000})
"""


def deployment(*body: str) -> str:
    lines = "\n".join(f"        {line}" for line in body)
    return f"class Deployment:\n    def request(self, data):\n{lines}\n"


@pytest.mark.parametrize(
    ("source", "inputs", "outputs"),
    [
        (deployment("return data"), {}, {}),
        (
            deployment("return {'y': float(data['x']) * 2.0}"),
            {"x": "double"},
            {"y": "double"},
        ),
        (
            deployment("n = data.get('n', 14)", "return {'text': f'{n}', 'ok': n > 1}"),
            {"n": "int"},
            {"text": "string", "ok": "bool"},
        ),
        (
            deployment("prices = list(data['prices'])", "return {'mean': sum(prices) / 2}"),
            {"prices": "array_double"},
            {"mean": "double"},
        ),
        (
            deployment("if data['n']:", "    return {'a': 1}", "return {'a': int(data['n'])}"),
            {"n": "int"},
            {"a": "int"},
        ),
    ],
)
def test_fields_are_read_off_the_code(
    source: str, inputs: dict[str, str], outputs: dict[str, str]
) -> None:
    found = read_off(source)
    assert [{each["name"]: each["data_type"] for each in side} for side in found] == [
        inputs,
        outputs,
    ]


def test_a_type_that_the_code_does_not_tell_is_asked_for() -> None:
    with pytest.raises(UsageError, match="--input x=TYPE"):
        read_off(deployment("return {'y': 1.0 + data['x']}"))
    with pytest.raises(UsageError, match="--output y=TYPE"):
        read_off(deployment("return {'y': compute()}"))
    with pytest.raises(UsageError, match="neither a request"):
        read_off("class Deployment:\n    pass\n")
    with pytest.raises(UsageError, match="no type 'float'"):
        given({"x": "float"}, "--input")


def test_what_is_a_deployment() -> None:
    assert defines_deployment(deployment("return data"))
    assert not defines_deployment("class Strategy: pass")
    assert not defines_deployment("this is not Python")


def test_names_that_ubiops_takes() -> None:
    assert name_of("RSI Model") == "rsi-model"
    assert name_of("2 Averages!") == "d-2-averages"
    assert len(name_of("x" * 100)) == 64
    with pytest.raises(UsageError):
        name_of("°°°")


def test_a_deployment_is_packed_as_it_is(tmp_path: Path) -> None:
    model = Model.build("Echo", deployment("return data"), requirements=["numpy<2"])
    package = package_of(model)
    path = package.write(tmp_path / "a.zip")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert "deployment_package/deployment.py" in names
        assert not any(name.endswith("blankly.json") for name in names)
        assert archive.read("deployment_package/requirements.txt") == b"numpy<2\n"
    assert (package.wrapped, package.inputs, package.outputs) == (False, [], [])
    assert package.write(tmp_path / "b.zip").read_bytes() == path.read_bytes()


def test_options_win_over_the_code() -> None:
    model = Model.build("Odd", deployment("return {'y': compute(data['x'])}"))
    package = package_of(model, inputs={"x": "dict"}, outputs={"y": "array_int"})
    assert package.inputs == [{"name": "x", "data_type": "dict"}]
    assert package.outputs == [{"name": "y", "data_type": "array_int"}]


def test_a_wrapped_strategy_answers_with_metrics(tmp_path: Path) -> None:
    """The package alone, in the model's own environment, as a service runs it."""
    model = Model.build("Buy", STRATEGY, requirements=list(LIBRARY), python_version="3.11")
    span = {"start_date": "2017-05-01", "end_date": "2017-05-10", "initial_values": {"USD": 100}}
    package = package_of(model, prices=load_prices({"EUR-USD": PRICES}), arguments=span)
    assert [each["name"] for each in package.outputs] == ["metrics", "orders", "final_value"]
    with zipfile.ZipFile(package.write(tmp_path / "a.zip")) as archive:
        archive.extractall(tmp_path)
    rows = [[1_500_000_000 + 3600 * hour, 1, 2, 1, 1.5, 9] for hour in range(100)]
    program = f"""
import json, sys
sys.path.insert(0, "deployment_package")
from deployment import Deployment
made = Deployment("deployment_package", {{}})
def ask(arguments):
    try:
        return made.request({{"arguments": arguments}})
    except Exception as error:
        return str(error)
print(json.dumps([ask({{}}), ask({{"prices": {{"EUR-USD": {rows}}}}}), ask({{"odd": 1}})]))
"""
    environment = ensure_environment("3.11", LIBRARY)
    done = subprocess.run(
        [str(environment.python), "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment_of({"HOME": str(tmp_path)}),
    )
    assert done.returncode == 0, done.stderr
    kept, own, odd = json.loads(done.stdout.splitlines()[-1])
    assert kept["orders"] > 0 and "sharpe" in kept["metrics"]
    assert own["orders"] > 0 and own["orders"] != kept["orders"]
    assert odd == "There is no argument odd"


def test_the_wrapper_runs_on_the_oldest_python() -> None:
    source = Path(package_of.__code__.co_filename).with_name("ubiops_wrapper.py").read_text()
    ast.parse(source, feature_version=(3, 7))


def test_a_secret_is_not_typed_in_a_cell() -> None:
    with pytest.raises(UsageError, match="stays in the notebook"):
        env_set("KEY", "sesame", secret=True)


def test_nobody_signed_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("UBIOPS_", "DEPLOY_MAGICS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path))
    with pytest.raises(NotSignedInError, match="%deploy_login"):
        ubiops_session.client()
    with pytest.raises(NotSignedInError, match=r"--server https://x\.io"):
        ubiops_session.client("https://x.io")
    assert current() is not None
