"""MLflow's reports of promotions, which it was asked for (following/reports.py): believed only with our signature.

A report says no more than that something has changed: what has, is read from the registry. So a report that was
repeated by somebody else does no harm.
"""

import base64
import hashlib
import hmac

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tasks.serving.access import HOOK
from tasks.serving.endpoints.problems import Problem
from tasks.serving.service import Service

DELIVERY, STAMP, SIGNATURE = "x-mlflow-delivery-id", "x-mlflow-timestamp", "x-mlflow-signature"
LONGEST = 100_000

router = APIRouter()


@router.post(HOOK, status_code=204, include_in_schema=False)
async def reported(request: Request) -> Response:
    """Look at Production at once; 401 where the signature is not MLflow's."""
    service: Service = request.app.state.service
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST:
            raise Problem(413, f"A report of MLflow's has at most {LONGEST:,} bytes.")
    headers = request.headers
    expected = signature(service.hook_key, headers.get(DELIVERY, ""), headers.get(STAMP, ""), body)
    if not hmac.compare_digest(headers.get(SIGNATURE, "").encode(), expected.encode()):
        raise Problem(401, "The signature is not one that was made with this server's key.")
    service.look_now()
    return Response(status_code=204)


def signature(key: str, delivery: str, stamp: str, body: bytes) -> str:
    """As MLflow signs a report."""
    signed = f"{delivery}.{stamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key.encode(), signed, hashlib.sha256).digest()).decode()}"
