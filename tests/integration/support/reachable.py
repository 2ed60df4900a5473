"""What a user of the host reaches while a use case works: tried before each of its effects.

As a program, on the host: reachable.py image|container OPTIONS(JSON). Prints the number of effects, and the directories
of images and containers that user nobody got into, as JSON.
"""

import json
import os
import sys

from dying import before_each_effect, case_of, ours

NOBODY = 65534
DIRECTORIES = ("/var/lib/conductor/images", "/var/lib/conductor/containers")


def reached(host, case, **options):
    """Run the use case on `host`: how many effects it had, and the directories that were reached before one of them."""
    from testhost import PYTHON, module_environment

    done = host.run(PYTHON, __file__, case, json.dumps(options), env=module_environment(), check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def inner_directories():
    """Those that may hold what belongs to an image or a container."""
    for top in DIRECTORIES:
        for entry in os.listdir(top) if os.path.isdir(top) else ():
            directory = os.path.join(top, entry)
            for name in os.listdir(directory) if os.path.isdir(directory) else ():
                yield os.path.join(directory, name)


def main(case, options):
    fork, wait, main_pid = os.fork, os.waitpid, os.getpid()
    steps, found = [], set()

    def look():
        if os.getpid() != main_pid:
            return
        steps.append(1)
        inner = list(inner_directories())
        reader, writer = os.pipe()
        child = fork()
        if child == 0:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.write(writer, json.dumps([path for path in inner if os.access(f"{path}/.", os.F_OK)]).encode())
            os._exit(0)
        os.close(writer)
        with open(reader, "rb") as pipe:
            found.update(json.loads(pipe.read()))
        wait(child, 0)

    wish = case_of(case, options)
    before_each_effect(case, look)
    ours("_engine.engine:perform")(wish)
    print(json.dumps([len(steps), sorted(found)]))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
