"""The hello server as anybody would write it for gunicorn (`wsgi`) or uvicorn (`asgi`): it knows
nothing of usher.  Both answer what all fronts answer."""

import os

BODY = b"Hello, World!\n"


def headers():
    return [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY))),
            ("X-Pid", str(os.getpid()))]


def wsgi(_environ, start_response):
    start_response("200 OK", headers())
    return [BODY]


async def asgi(scope, _receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200,
                "headers": [(name.lower().encode(), value.encode())
                            for name, value in headers()]})
    await send({"type": "http.response.body", "body": BODY})
