"""A report proves what it says, and no longer does once something in it is changed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from companion.argmax import ArgmaxReport, Scanner, argmaxable
from companion.errors import DataError


@pytest.fixture(scope="module")
def layer() -> tuple[torch.Tensor, torch.Tensor]:
    """Classes of all kinds: won at once, won after a search, never, and duplicates."""
    g = torch.Generator().manual_seed(1)
    weight, bias = torch.randn(400, 6, generator=g), torch.randn(400, generator=g)
    weight[9], bias[9] = weight[5], bias[5]
    return weight, bias


@pytest.fixture(params=["plain", "biased", "ball"])
def case(request, layer) -> tuple[ArgmaxReport, torch.Tensor, torch.Tensor | None]:
    weight, bias = layer
    if request.param == "plain":
        return argmaxable(weight, progress=False), weight, None
    radius = 2.0 if request.param == "ball" else None
    return argmaxable(weight, bias, radius=radius, progress=False), weight, bias


def test_every_kind_of_proof_occurs_and_verifies(case):
    report, weight, bias = case
    assert report.verify(weight, bias)
    assert (report.own == -1).any()
    assert (report.own >= 0).any()
    assert (report.verdict == 0).sum() > 20
    assert (report.twin >= 0).sum() in (1, 2)
    assert not (report.verdict == -1).any()


def test_witnesses_win_and_certificates_outdo(case):
    report, weight, bias = case
    w, b = weight.double(), torch.zeros(400).double() if bias is None else bias.double()
    won = report.verdict == 1
    z = report.witness
    assert z.shape == (400, 6)
    assert z[~won].isnan().all()
    logits = z[won] @ w.T + b
    own = logits.gather(1, report.classes[won, None])
    rest = logits.scatter(1, report.classes[won, None], -torch.inf)
    lead = own[:, 0] - rest.amax(1)
    assert (report.margin[won] <= lead + 1e-12 * z[won].norm(dim=1)).all()
    assert (report.margin[won] > 0).all()
    if report.radius is not None:
        assert (z[won].norm(dim=1) <= report.radius).all()
    elif bias is None:
        torch.testing.assert_close(z[won].norm(dim=1), torch.ones(int(won.sum())).double())
    for k in report.classes[report.verdict == 0].tolist():
        others, weights = report.certificate(k)
        drift = (weights @ (w[k] - w[others])).norm() * (report.radius or 0.0)
        assert weights @ (b[k] - b[others]) + drift <= 1e-12
        if report.radius is None:
            assert (weights @ (w[k] - w[others])).norm() < 1e-12


def tampered(report: ArgmaxReport) -> dict[str, ArgmaxReport]:
    """The report with one lie each."""
    won = int(((report.verdict == 1) & (report.own >= 0)).nonzero()[0, 0])
    at_own = int((report.own == -1).nonzero()[0, 0])
    # One all of whose weights are large: the exact ones are positive still.
    least = torch.stack(
        [
            report.certificate(int(k))[1].min()
            if len(report.certificate(int(k))[1])
            else torch.tensor(0.0)
            for k in report.classes
        ]
    )
    never = int((least * (report.twin < 0)).argmax())
    twin = int((report.twin >= 0).nonzero()[0, 0])
    start = int(report.starts[never])

    def changed(name: str, index: int, value: float) -> ArgmaxReport:
        tensor = getattr(report, name).clone()
        tensor[index] = value
        return replace(report, **{name: tensor})

    point, points = int(report.own[won]), report.points.clone()
    points[point] *= -1
    raised = report.margin[won] * 1.01 + 1e-6
    nudged = float(report.coefficients[start]) + 1e-5
    lies = {
        "verdict 1 to 0": changed("verdict", won, 0),
        "verdict 1 to −1": changed("verdict", won, -1),
        "verdict 0 to 1": changed("verdict", never, 1),
        "verdict 0 to −1": changed("verdict", never, -1),
        "no such verdict": changed("verdict", never, 2),
        "margin raised": changed("margin", won, float(raised)),
        "margin negative to a lie": changed("margin", at_own, float(report.margin[at_own]) * 2),
        "margin where there is none": changed("margin", never, 1.0),
        "witness turned round": replace(report, points=points),
        "witness of another": changed("own", won, (point + 1) % len(report.points)),
        "own row for a witness": changed("own", won, -1),
        "another class": changed("indices", start, (int(report.indices[start]) + 7) % 400),
        "the class itself": changed("indices", start, int(report.classes[never])),
        "a weight negative": changed("coefficients", start, -0.1),
        "twin invented": changed("twin", never, 3),
        "twin of another": changed("twin", twin, 3),
        "class named twice": changed("classes", 1, 0),
        "centre moved": replace(report, centre=report.centre + 10.0),
    }  # fmt: skip
    if report.radius is None:  # in a ball, other weights may prove as much
        lies["a weight far off"] = changed("coefficients", start, nudged + 0.3)
        lies["a weight a little off"] = changed("coefficients", start, nudged)
    return lies


def test_a_report_that_was_tampered_with_fails(case):
    report, weight, bias = case
    for lie, changed in tampered(report).items():
        assert not changed.verify(weight, bias), lie


def test_a_report_on_another_layer_fails(case):
    report, weight, bias = case
    other = weight.clone()
    other[int(report.indices[int(report.starts[report.verdict.eq(0).nonzero()[0, 0]])])] *= 0.5
    assert not report.verify(other, bias)
    assert not report.verify(weight[:-1], None if bias is None else bias[:-1])
    assert not report.verify(weight, torch.zeros(400) if bias is None else None)


def test_a_witness_outside_the_ball_fails(layer):
    whole = argmaxable(*layer, radius=2.0, progress=False)
    long = (whole.own >= 0) & (whole.witness.norm(dim=1) > 1.0)
    report = argmaxable(*layer, radius=2.0, classes=whole.classes[long], progress=False)
    assert report.verify(*layer)
    assert (report.own >= 0).all()  # points that are kept, not made from the radius
    assert not replace(report, radius=1.0).verify(*layer)


def test_what_was_saved_is_loaded(case, tmp_path):
    report, weight, bias = case
    report.save(tmp_path / "report.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["report.npz"]
    loaded = ArgmaxReport.load(tmp_path / "report.npz")
    assert loaded.verify(weight, bias)
    assert (loaded.shape, loaded.radius) == (report.shape, report.radius)
    with pytest.raises(DataError, match=r"expected ArgmaxReport\.load"):
        _ = loaded.witness
    whole = ArgmaxReport.load(tmp_path / "report.npz", weight, bias)
    assert torch.equal(whole.witness.nan_to_num(), report.witness.nan_to_num())
    with pytest.raises(DataError, match=r"\(400, 6\); found a weight \(399, 6\)"):
        ArgmaxReport.load(tmp_path / "report.npz", weight[:-1])


def test_what_is_no_report_is_refused(tmp_path):
    path = tmp_path / "report.npz"
    with pytest.raises(DataError, match=r"report\.npz is no report"):
        ArgmaxReport.load(path)
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(DataError, match=r"report\.npz is no report"):
        ArgmaxReport.load(path)
    np.savez(path, verdict=np.zeros(3))
    with pytest.raises(DataError, match=r"report\.npz is no report"):
        ArgmaxReport.load(path)
    np.savez(path, verdict=np.array([{}, 1], dtype=object))
    with pytest.raises(DataError, match=r"report\.npz is no report"):
        ArgmaxReport.load(path)


def test_split_is_whole(layer):
    """Blocks in any order give the verdicts of one scan, and its margins up to rounding."""
    weight, bias = layer
    scanner = Scanner(weight, bias)
    parts = [scanner.decide(range(start, min(start + 70, 400))) for start in range(0, 400, 70)]
    joined = ArgmaxReport.join(reversed(parts))
    whole = scanner.decide(range(400))
    assert torch.equal(joined.classes, torch.arange(400))
    assert torch.equal(joined.verdict, whole.verdict)
    assert joined.verify(weight, bias)
    again = ArgmaxReport.join(Scanner(weight, bias).decide(part.classes) for part in parts)
    for name in ("verdict", "margin", "own", "points", "starts", "indices", "coefficients"):
        first, second = getattr(joined, name), getattr(again, name)
        assert torch.equal(first.nan_to_num(), second.nan_to_num()), name


def test_a_part_says_which_classes_it_is_about(layer):
    weight, _ = layer
    report = argmaxable(weight, classes=[300, 7, 9], progress=False)
    assert report.classes.tolist() == [7, 9, 300]
    assert report.verify(weight)
    assert len(report) == 3
    assert "3 of 400 classes" in str(report)
    with pytest.raises(DataError, match="class 8 is not in this report"):
        report.certificate(8)


def test_parts_that_do_not_fit_are_not_joined(layer):
    weight, bias = layer
    first = argmaxable(weight, classes=range(5), progress=False)
    with pytest.raises(DataError, match="no reports to join"):
        ArgmaxReport.join([])
    with pytest.raises(DataError, match="class 4 is in two of the reports"):
        ArgmaxReport.join([first, argmaxable(weight, classes=[4], progress=False)])
    with pytest.raises(DataError, match=r"report 1 is about a layer \(400, 6\) with radius 2.0"):
        ArgmaxReport.join([first, argmaxable(weight, radius=2, classes=[9], progress=False)])
    with pytest.raises(DataError, match="report 1 is about a layer"):
        ArgmaxReport.join([first, argmaxable(weight, bias, classes=[9], progress=False)])
