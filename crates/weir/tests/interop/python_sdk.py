"""The official Python SDK of CloudEvents against a running Weir.

Events that the SDK writes, in every mode, reach a function that reads them with the SDK; what that function returns, in
every mode, comes back as events; and the log gives all of them as the SDK reads them. Attributes, extensions and data
are compared with what was sent.

The environment names the two APIs: WEIR_EVENTS and WEIR_CONFIG, each as HOST:PORT.
"""

import http.client
import json
import os
import queue
import signal
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cloudevents.core.bindings import http as binding
from cloudevents.core.bindings.http import HTTPMessage
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

BOUND_SECONDS = 60
MODES = ["structured", "binary", "batch"]
BATCH_TYPE = "application/cloudevents-batch+json"
TIME = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=timezone.utc)
ALL_BYTES = bytes(range(256))

received = queue.Queue()


def samples(mode):
    """Returns events by their id."""
    plain = {"source": "/python", "type": "interop.sent", "time": TIME}
    full = {
        "source": "https://example.com/k%C3%A4se?q=1#f",
        "type": "interop.sent",
        "time": TIME,
        "subject": 'käse "q" 100% \U0001f600',
        "dataschema": "https://example.com/schema",
        "text": "übung, 1",
        "number": -7,
        "truth": True,
        "partitionkey": "k",
    }
    json_data = {"text": "käse \U0001f600 \"q\" \n", "list": [1, -2.5, None, True, {"a": []}]}
    events = [
        (plain, None),
        (full, json_data),
        ({**full, "datacontenttype": "application/vnd.example+json"}, json_data),
        ({**plain, "datacontenttype": "text/plain"}, "käse\nand \U0001f600"),
        ({**plain, "datacontenttype": "application/xml"}, "<käse/>"),
        ({**plain, "datacontenttype": "application/octet-stream"}, ALL_BYTES),
    ]
    made = [CloudEvent({**attributes, "id": f"{mode}-{at}"}, data) for at, (attributes, data) in enumerate(events)]
    return {event.get_id(): event for event in made}


def expected(event, mode):
    """Returns the attributes and the data with which an event arrives, which is in structured mode."""
    attributes, data = dict(event.get_attributes()), event.get_data()
    if mode == "binary":
        # Headers have no types.
        for name in ["number", "truth"]:
            if name in attributes:
                attributes[name] = str(attributes[name])
        # JSON without a declared type goes with the one that it has by implication or with none, and is then bytes.
        if isinstance(data, dict) and "datacontenttype" not in attributes:
            data = json.dumps(data).encode()
        # XML without a charset may be in any: it comes as bytes.
        if attributes.get("datacontenttype") == "application/xml":
            data = data.encode()
    return attributes, data


def check(event, wanted, mode):
    """Compares an event that came with one that was sent. More attributes may have been added."""
    attributes, data = expected(wanted, mode)
    found = event.get_attributes()
    for name, value in attributes.items():
        assert found.get(name) == value, f"{event.get_id()}: {name} is {found.get(name)!r}, not {value!r}"
    assert event.get_data() == data, f"{event.get_id()}: data is {event.get_data()!r}, not {data!r}"


def messages(events, mode):
    """Writes events as HTTP messages."""
    if mode == "batch":
        body = b"[" + b",".join(JSONFormat().write(event) for event in events) + b"]"
        return [HTTPMessage({"content-type": BATCH_TYPE}, body)]
    write = binding.to_structured_event if mode == "structured" else binding.to_binary_event
    return [write(event) for event in events]


def answer(question):
    """Returns the event that a question asks for."""
    mode = question.get_data()["mode"]
    attributes = {
        "id": f"answer-{mode}",
        "source": "/python/answers",
        "type": "interop.answer",
        "time": TIME,
        "subject": "antwört %",
        "number": 7,
        "datacontenttype": "application/json",
    }
    return mode, CloudEvent(attributes, {"to": question.get_id(), "text": "käse"})


class Function(BaseHTTPRequestHandler):
    """A function of Weir: keeps what it is given, and answers questions with an event."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            event = binding.from_http_event(HTTPMessage(headers, body))
            reply = HTTPMessage({}, b"")
            if event.get_type() == "interop.question":
                mode, made = answer(event)
                [reply] = messages([made], mode)
            received.put(event)
        except Exception as error:
            received.put(error)
            raise
        self.send_response(200 if reply.body else 204)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.body:
            self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_):
        pass


def request(address, method, path, headers, body):
    """Sends a request; returns its status and body."""
    connection = http.client.HTTPConnection(address, timeout=BOUND_SECONDS)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def configure(resource, value):
    body = json.dumps(value).encode()
    path = f"/v1/spaces/default/{resource}"
    status, told = request(os.environ["WEIR_CONFIG"], "POST", path, {"content-type": "application/json"}, body)
    assert status == 201, f"{resource}: {status} {told.decode()}"


def emit(message):
    status, told = request(os.environ["WEIR_EVENTS"], "POST", "/", message.headers, message.body)
    assert status == 202, f"{status} {told.decode()}"


def collect(wanted):
    """Waits for events of these identities: whatever is given twice counts once."""
    found = {}
    while len(found) < len(wanted):
        event = received.get(timeout=BOUND_SECONDS)
        if isinstance(event, Exception):
            raise event
        if event.get_id() in wanted:
            found[event.get_id()] = event
    return found


def logged(event_type):
    """Reads the log; a batch is a list of events, which the SDK reads one by one."""
    path = f"/v1/spaces/default/events?type={event_type}&limit=1000"
    status, body = request(os.environ["WEIR_CONFIG"], "GET", path, {}, None)
    assert status == 200, body.decode()
    events = [JSONFormat().read(None, json.dumps(each)) for each in json.loads(body)]
    return {event.get_id(): event for event in events}


def main():
    # Whatever hangs ends the process.
    signal.alarm(2 * BOUND_SECONDS)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Function)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    configure("functions", {"functionId": "python", "type": "http", "provider": {"url": url}})
    for event_type in ["interop.sent", "interop.question", "interop.answer"]:
        configure("eventtypes", {"name": event_type})
        subscription = {"type": "async", "eventType": event_type, "functionId": "python"}
        configure("subscriptions", subscription)

    sent = {mode: samples(mode) for mode in MODES}
    for mode, events in sent.items():
        for message in messages(list(events.values()), mode):
            emit(message)
    everything = {key: (mode, event) for mode, events in sent.items() for key, event in events.items()}
    for place, found in [("delivered", collect(everything)), ("read", logged("interop.sent"))]:
        for key, (mode, event) in everything.items():
            check(found[key], event, mode)
        print(f"{len(everything)} events {place} as they were sent")

    for mode in MODES:
        attributes = {"id": f"question-{mode}", "source": "/python", "type": "interop.question"}
        for message in messages([CloudEvent(attributes, {"mode": mode})], "structured"):
            emit(message)
    answers = collect({f"answer-{mode}": None for mode in MODES})
    for mode in MODES:
        came = answers[f"answer-{mode}"]
        question = CloudEvent({"id": f"question-{mode}", "source": "/python", "type": "q"}, {"mode": mode})
        check(came, answer(question)[1], mode)
        assert came.get_attributes()["causationid"] == f"question-{mode}"
    print(f"{len(answers)} events of a function came as they were returned")
    server.shutdown()


if __name__ == "__main__":
    main()
