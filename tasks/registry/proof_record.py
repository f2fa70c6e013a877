"""Logs a proof in MLflow: its figures and its picture, in its own run and in the training that it was made for."""

import math
from collections.abc import Mapping, Sequence

from model.evaluation.evidence.proof import Proof
from model.figures.evidence import evidence_figure
from tasks.backtest.proofs import KeptProof, NoProof
from tasks.registry.version import PROVEN_BY, RegisteredVersion
from tasks.tracking.client import Tracking

# The tag of the note that MLflow shows above a run, and the beginning of the note's line on the proof.
NOTE, CLAIM = "mlflow.note.content", "**Proof of its configuration**: "
# Tag: the newest session of the proof that a run shows.
UNTIL = "x.proof.until"
# What a training's run shows of its proof, beside the metrics of its own; the proof's run shows all.
OF_A_TRAINING = ("proof_evidence", "proof_evidence_against", "proof_crps_skill", "proof_sessions")


def record_proof(tracking: Tracking, version: RegisteredVersion, kept: KeptProof, *, draw: bool = True) -> None:
    """Log the result of a version's proof: the claim above both runs, the figures in both and on the logged model.

    draw: whether to draw its picture, too
    """
    from mlflow.entities import Metric, RunTag

    client, proof, needed = tracking.client, kept.proof, tracking.settings.gate.needed
    claim, shows = proof.claim(needed), list[str]()
    for run_id in (version.run_id, kept.run_id):
        run = client.get_run(run_id)
        if run.data.tags.get(UNTIL, "") > proof.last.isoformat():
            continue  # the run already shows a later proof; this one was made as of an earlier day
        at, step = run.info.start_time, proof.last.toordinal()
        trained = run_id == version.run_id
        figures = proof_metrics(proof)
        logged = {name: figures[name] for name in OF_A_TRAINING if name in figures} if trained else figures
        tags = {
            "verdict": str(proof.verdict(needed)),
            "proof.claim": claim,
            PROVEN_BY: kept.run_id,
            UNTIL: proof.last.isoformat(),
            NOTE: with_claim(run.data.tags.get(NOTE, ""), claim),
        }
        client.log_batch(
            run_id,
            metrics=[
                Metric(name, value, at, step, model_id=version.model_id if trained else None)
                for name, value in logged.items()
            ],
            tags=[RunTag(name, text) for name, text in tags.items()],
        )
        shows.append(run_id)
    if draw:
        draw_evidence(tracking, version, kept, shows)


def record_further(tracking: Tracking, version: RegisteredVersion, further: Mapping[int, Proof | NoProof]) -> None:
    """Log the proofs of a version's further horizons in its run, and on the logged model: no run of theirs is kept."""
    from mlflow.entities import Metric, RunTag

    needed, at = tracking.settings.gate.needed, tracking.client.get_run(version.run_id).info.start_time
    metrics, tags = list[Metric](), list[RunTag]()
    for ahead, proof in further.items():
        if isinstance(proof, NoProof):
            tags.append(RunTag(f"proof.claim.{ahead}", f"not judged: {proof.why}"))
            continue
        figures, step = proof_metrics(proof), proof.last.toordinal()
        metrics += [
            Metric(f"in_{ahead}_{name}", figures[name], at, step, model_id=version.model_id)
            for name in OF_A_TRAINING
            if name in figures
        ]
        tags += [
            RunTag(f"verdict.{ahead}", str(proof.verdict(needed))),
            RunTag(f"evidence.{ahead}", f"{proof.odds:.6g}"),
            RunTag(f"proof.claim.{ahead}", proof.claim(needed)),
        ]
    tracking.client.log_batch(version.run_id, metrics=metrics, tags=tags)


def draw_evidence(tracking: Tracking, version: RegisteredVersion, kept: KeptProof, run_ids: Sequence[str]) -> None:
    """Draw the picture of a version's proof into these runs; nothing where it has no distributions."""
    proof, needed = kept.proof, tracking.settings.gate.needed
    if proof.evidence is None or not run_ids:
        return
    of = f"{version.tags.get('security', version.model)} {version.tags.get('column', '')}"
    figure = evidence_figure(
        proof.judged.sessions,
        proof.evidence,
        proof.needed_odds(needed),
        f"{of}, {proof.verdict(needed)}",
        needed_against=needed.evidence,
    )
    for run_id in run_ids:
        tracking.client.log_figure(run_id, figure, "figures/evidence.png")


def with_claim(note: str, claim: str) -> str:
    """A run's note with the claim as its first line, in place of an older one."""
    first, _, rest = note.partition("\n\n")
    return f"{CLAIM}{claim}.\n\n{rest if first.startswith(CLAIM) else note}"


def proof_metrics(proof: Proof) -> dict[str, float]:
    """Name -> figure of a proof; the odds as their decimal logarithm (1.3 is 20 to 1)."""
    judged = proof.judged
    figures = {
        "proof_evidence": math.log10(proof.odds),
        "proof_evidence_against": math.log10(proof.odds_against),
        "proof_sessions": float(proof.sessions),
        "proof_crps": judged.crps,
        "proof_naive_crps": judged.naive_crps,
        "proof_crps_skill": judged.crps_skill,
        "proof_of_scale_alone": proof.of_scale_alone,
    }
    return {name: value for name, value in figures.items() if math.isfinite(value)}
