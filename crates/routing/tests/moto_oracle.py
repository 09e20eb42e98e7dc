"""What moto, which stands for AWS in the tests of others, says of event patterns.

Reads lines of JSON with `pattern` and `event`, and answers each with a line that is `true` or `false`. Both are in the
form of EventBridge: the data is `detail`, the type is `detail-type`.

Where moto does something else than EventBridge or Weir, nothing is asked:

- an array is not entered on the way: objects in arrays have no members for it;
- an object that is not empty is not there, and one that is empty is a value like others (for EventBridge only what is
  no object is there; for Weir an object is there, and has no value);
- `true` and `false` are 1 and 0, as in Python, and numbers for `numeric`;
- a number is an address for `cidr`, and a network may have no bits beyond its length;
- a star stands for no line break, and `ß` and `ẞ` are not as in lower case letter by letter;
- a dot in a name is a step into the member.
"""

import json
import sys

from moto.events.models import EventPattern


def main():
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps(EventPattern.load(json.dumps(case["pattern"])).matches_event(case["event"])))


if __name__ == "__main__":
    main()
