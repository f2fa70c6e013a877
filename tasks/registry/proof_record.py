"""A proof as MLflow shows it: its figures and its picture, on its own run and on the training that asked for it."""

import math

from model.evaluation.evidence.proof import Proof
from model.figures.evidence import evidence_figure
from tasks.backtest.proofs import KeptProof
from tasks.registry.version import PROVEN_BY, RegisteredVersion
from tasks.tracking.client import Tracking


def record_proof(tracking: Tracking, version: RegisteredVersion, kept: KeptProof) -> None:
    """Log what a version's proof came to."""
    from mlflow.entities import Metric, RunTag

    client, proof, needed = tracking.client, kept.proof, tracking.settings.gate.needed
    verdict, claim = str(proof.verdict(needed)), proof.claim(needed)
    newest = proof.last
    at = client.get_run(version.run_id).info.start_time
    for run_id in (version.run_id, kept.run_id):
        metrics = [Metric(name, value, at, newest.toordinal()) for name, value in proof_metrics(proof).items()]
        tags = {"verdict": verdict, "proof.claim": claim, PROVEN_BY: kept.run_id}
        client.log_batch(run_id, metrics=metrics, tags=[RunTag(name, text) for name, text in tags.items()])
        if proof.evidence is not None:
            figure = evidence_figure(
                proof.judged.sessions,
                proof.evidence,
                proof.needed_odds(needed),
                f"{version.tags.get('security', version.model)} {version.tags.get('column', '')}: {claim}",
            )
            client.log_figure(run_id, figure, "figures/evidence.png")


def proof_metrics(proof: Proof) -> dict[str, float]:
    """The figures of a proof by name; the odds as a logarithm to the base of ten: 1.3 is 20 to 1."""
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
