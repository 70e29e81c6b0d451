#!/usr/bin/env python3
"""Proves that symbols.py sees what it is there to see: compiles one small mistake at a time.

    usage: symbols_test.py COMPILER
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import symbols  # noqa: E402

COMPILER = sys.argv.pop(1) if len(sys.argv) > 1 else "c++"

PURE = """
#include <algorithm>
#include <map>
#include <string>
#include <vector>
static const char* const names[] = {"a", "b"};
int used(std::map<std::string, std::vector<int>>& m, unsigned i) {
    m["x" + std::to_string(i) + names[i % 2]].push_back(3);
    std::sort(m["x"].begin(), m["x"].end());
    return m.at("x").front();
}
"""


class SymbolsTest(unittest.TestCase):
    def errors(self, *sources):
        with tempfile.TemporaryDirectory() as folder:
            archives = []
            for number, source in enumerate(sources):
                path = pathlib.Path(folder, f"part{number}.cc")
                path.write_text(source)
                thing = path.with_suffix(".o")
                subprocess.run([COMPILER, "-std=c++20", "-c", "-o", thing, path], check=True)
                archive = path.with_suffix(".a")
                subprocess.run(["ar", "rcs", archive, thing], check=True)
                archives.append(str(archive))
            return symbols.errors_of(archives)

    def expect(self, source, word):
        errors = self.errors(source)
        self.assertTrue(any(word in error for error in errors), errors)

    def test_accepts_pure_computation(self):
        self.assertEqual(self.errors(PURE), [])

    def test_sees_a_clock(self):
        self.expect("#include <chrono>\nlong f() { return "
                    "std::chrono::steady_clock::now().time_since_epoch().count(); }", "clock::now")
        self.expect("#include <ctime>\nlong f() { return time(nullptr); }", "time")
        self.expect("#include <ctime>\nint f(timespec& t) { return clock_gettime(0, &t); }",
                    "clock_gettime")

    def test_sees_randomness(self):
        self.expect("#include <random>\nunsigned f() { return std::random_device{}(); }",
                    "random_device")
        self.expect("#include <cstdlib>\nint f() { return std::rand(); }", "rand")

    def test_sees_a_thread(self):
        self.expect("#include <thread>\nvoid f() { std::thread([] {}).join(); }", "thread")

    def test_sees_files_and_sockets(self):
        self.expect("#include <cstdio>\nbool f() { return std::fopen(\"x\", \"r\"); }", "fopen")
        self.expect("#include <fstream>\nbool f() { return std::ifstream(\"x\").good(); }",
                    "stream")
        self.expect("#include <sys/socket.h>\nint f() { return socket(1, 2, 3); }", "socket")
        self.expect("#include <iostream>\nvoid f() { std::cout << 1; }", "cout")

    def test_sees_the_environment(self):
        self.expect("#include <cstdlib>\nchar* f() { return std::getenv(\"HOME\"); }", "getenv")

    def test_sees_state_that_outlives_a_call(self):
        self.expect("int counter = 0; int f() { return ++counter; }", "counter")
        self.expect("int f() { static int calls = 3; return ++calls; }", "calls")

    def test_takes_what_another_archive_defines_for_ours(self):
        self.assertEqual(self.errors('extern "C" int helper(); int f() { return helper(); }',
                                     'extern "C" int helper() { return 1; }'), [])
        self.expect('extern "C" int helper(); int f() { return helper(); }', "helper")


if __name__ == "__main__":
    unittest.main()
