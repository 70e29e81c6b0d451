#!/usr/bin/env python3
"""Proves that layers.py sees what it is there to see: small trees, each with one planted mistake."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import layers  # noqa: E402

HOUSE = {
    "libdynamo/include/dynamo/error.h": "#pragma once\n#include <string>\n",
    "libdynamo/base/bytes.h": '#pragma once\n#include "dynamo/error.h"\n',
    "libdynamo/ring/ring.h": '#pragma once\n#include "libdynamo/base/bytes.h"\n',
    "libdynamo/version/clock.h": '#pragma once\n#include "libdynamo/base/bytes.h"\n',
    "libdynamo/wire/codec.cc": '#include <msgpack.hpp>\n#include "libdynamo/ring/ring.h"\n',
    "libdynamo/wire/codec.h": '#pragma once\n#include "libdynamo/version/clock.h"\n',
    "daemon/storage/storage.h": '#pragma once\n#include "libdynamo/base/bytes.h"\n',
    "daemon/storage/memory.h": '#pragma once\n#include "daemon/storage/storage.h"\n',
    "daemon/storage/bdb.h": '#pragma once\n#include <db_cxx.h>\n#include <fcntl.h>\n',
    "daemon/node/desk.h": '#pragma once\n#include "daemon/storage/storage.h"\n',
    "daemon/node/coordination/put.h": '#pragma once\n#include "daemon/node/desk.h"\n',
    "daemon/node/repair/exchange.h": '#pragma once\n#include "daemon/node/desk.h"\n',
    "daemon/node/node.cc": '#include "daemon/node/coordination/put.h"\n',
    "daemon/shell/transport.cc": '#include <zmq.hpp>\n#include <thread>\n',
    "cli/common/options.h": '#pragma once\n#include "dynamo/error.h"\n',
    "cli/dyn-get.cc": '#include "cli/common/options.h"\n',
}


def errors_with(changes):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**HOUSE, **changes}.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return layers.Check(folder).run()


class LayersTest(unittest.TestCase):
    def expect(self, path, text, *words):
        errors = errors_with({path: text})
        self.assertEqual(len(errors), 1, errors)
        for word in (path, *words):
            self.assertIn(word, errors[0])

    def test_accepts_a_house_in_order(self):
        self.assertEqual(errors_with({}), [])

    def test_refuses_an_arrow_upwards(self):
        self.expect("libdynamo/base/bytes.cc", '#include "libdynamo/ring/ring.h"\n', ":1:",
                    "base must not include ring")

    def test_refuses_neighbours_that_know_each_other(self):
        self.expect("daemon/node/repair/exchange.cc",
                    '\n\n#include "daemon/node/coordination/put.h"\n', ":3:",
                    "repair must not include coordination")
        self.expect("daemon/storage/memory.cc", '#include "daemon/storage/bdb.h"\n',
                    "storage memory must not include storage bdb")
        self.expect("libdynamo/ring/ring.cc", '#include "libdynamo/version/clock.h"\n',
                    "ring must not include version")

    def test_refuses_a_core_that_knows_an_engine(self):
        self.expect("daemon/node/desk.cc", '#include "daemon/storage/memory.h"\n',
                    "desk must not include storage memory")

    def test_refuses_a_tool_that_looks_behind_the_installed_headers(self):
        self.expect("cli/dyn-put.cc", '#include "libdynamo/base/bytes.h"\n',
                    "cli tool must not include base")

    def test_refuses_a_library_in_the_wrong_place(self):
        self.expect("libdynamo/wire/frames.cc", "#include <msgpack.hpp>\n", "libdynamo/wire/codec*")
        self.expect("daemon/shell/loop.cc", "#include <zmq.hpp>\n", "daemon/shell/transport*")
        self.expect("daemon/storage/open.cc", "#include <db_cxx.h>\n", "daemon/storage/bdb*")
        self.expect("libdynamo/ring/ring.cc", "#include <fmt/format.h>\n", "known only to")
        self.expect("daemon/node/desk.cc", "  #  include <CLI/CLI.hpp>\n", "known only to")

    def test_refuses_the_outside_world_in_the_core(self):
        for header in ("thread", "fstream", "unistd.h", "sys/socket.h", "random", "time.h"):
            self.expect("daemon/node/coordination/put.cc", f"#include <{header}>\n",
                        "coordination knows no clock")

    def test_refuses_a_circle(self):
        errors = errors_with({
            "libdynamo/base/a.h": '#include "libdynamo/base/b.h"\n',
            "libdynamo/base/b.h": '#include "libdynamo/base/a.h"\n'})
        self.assertEqual(errors, ["circle: libdynamo/base/a.h -> libdynamo/base/b.h -> "
                                  "libdynamo/base/a.h"])

    def test_refuses_a_file_that_belongs_nowhere(self):
        self.expect("daemon/attic/old.cc", "", "belongs to no layer")

    def test_refuses_a_path_that_is_not_named_from_the_top(self):
        self.expect("libdynamo/ring/ring.cc", '#include "ring.h"\n', "name it from the top")


if __name__ == "__main__":
    unittest.main()
