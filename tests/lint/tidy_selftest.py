#!/usr/bin/env python3
"""Each check of tidy_test.py on small trees that must fail and that must pass."""

import unittest

import tidy_test
from tidy_test import File

GUARD = "#ifndef VARVE_STORAGE_BASE_X_H_\n#define VARVE_STORAGE_BASE_X_H_\n{}\n" \
        "#endif  // VARVE_STORAGE_BASE_X_H_\n"


def lint(files):
    """The problems of {path: text or File}, one string each."""
    files = {path: file if isinstance(file, File) else File(file) for path, file in files.items()}
    return [str(problem) for problem in tidy_test.lint(files)]


def lint_cc(text, path="storage/base/x.cc"):
    """The problems of one listed source."""
    return lint({path: text, "CMakeLists.txt": f"add_library(x {path})\n"})


def function_of(lines, signature="int F()"):
    """A C++ function of that many lines."""
    return signature + " {\n" + "  G();\n" * (lines - 2) + "}\n"


class TidyTestCase(unittest.TestCase):
    def passes(self, problems):
        self.assertEqual(problems, [])

    def fails(self, problems, sentence, line=None):
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(sentence, problems[0])
        if line is not None:
            self.assertEqual(problems[0].split(":")[1], str(line))


class Text(TidyTestCase):
    def test_tabs(self):
        self.fails(lint({"a.md": "# T\n\tx\n"}), "tab", 2)
        self.fails(lint({"x.cmake": "a(\t)\n"}), "tab", 1)
        self.fails(lint({"run": "#!/usr/bin/python3\n\tx\n"}), "tab", 2)
        self.passes(lint({"tests/fuzz/corpus/names_fuzzer/seed": "\t \n"}))

    def test_space_at_the_end(self):
        self.fails(lint_cc("int a; \n"), "space at the end", 1)
        self.fails(lint_cc("int a;\r\n"), "space at the end", 1)
        self.passes(lint_cc("int a;\n"))

    def test_columns(self):
        for path in ("x.proto", "x.sh", "CMakeLists.txt", "x.cmake"):
            self.passes(lint({path: "#" * 100 + "\n"}))
            self.fails(lint({path: "#" * 101 + "\n"}), "101 columns", 1)
        self.fails(lint_cc("//" + "é" * 99 + "\n"), "101 columns")
        self.passes(lint_cc("//" + "é" * 98 + "\n"))

    def test_unfinished_work(self):
        for word in ("TO" "DO", "FIX" "ME", "X" "XX"):
            self.fails(lint_cc(f"// {word}(me): later\n"), "unfinished", 1)
            self.fails(lint({"a.md": f"# T\n{word}\n"}), "unfinished", 2)
        template = "mktemp a." + "X" * 6
        self.passes(lint({"run": File(f"#!/bin/sh\nset -eu\n{template}\n", True)}))

    def test_file_length(self):
        self.passes(lint_cc("int a;\n" * 800))
        self.fails(lint_cc("int a;\n" * 801), "801 lines")

    def test_columns_of_markdown(self):
        words = "ab " * 33 + "ab"
        self.fails(lint({"a.md": "# T\n" + words + "\n"}), "101 columns", 2)
        self.fails(lint({"a.md": "# T\n* " + words[2:] + "\n"}), "101 columns", 2)
        self.passes(lint({"a.md": "# T\n" + words[1:] + "\n"}))
        self.passes(lint({"a.md": "# T\n  * [" + "x" * 100 + "](https://example.com)\n"}))
        self.passes(lint({"a.md": "# T\n| " + words + " |\n```\n" + words + "\n```\n"}))

    def test_markdown_has_one_title(self):
        self.fails(lint({"a.md": "text\n"}), "0 titles")
        self.fails(lint({"a.md": "# A\n\n# B\n"}), "2 titles", 3)
        self.passes(lint({"a.md": "# A\n\n```sh\n# a comment\n```\n## B\n"}))


class CMake(TidyTestCase):
    def test_files_that_may_be_missing(self):
        self.fails(lint({"a.cmake": "f()\ninclude(b.cmake OPTIONAL)\n"}), "missing file", 2)
        self.fails(lint({"a/CMakeLists.txt": "if(EXISTS ${b})\nendif()\n"}), "missing file", 1)
        self.passes(lint({"a.cmake": "include(b.cmake)  # not OPTIONAL\n"}))


class Shell(TidyTestCase):
    def test_bash(self):
        good = "#!/usr/bin/env bash\nset -euo pipefail\n"
        self.passes(lint({"run": File(good, True)}))
        self.fails(lint({"run": File(good, False)}), "executable bit")
        self.fails(lint({"run": File("#!/bin/bash\nset -eu\n", True)}), "set -euo pipefail")
        self.fails(lint({"run": File("#!/bin/bash\n# set -euo pipefail\n", True)}), "lacks")

    def test_sh(self):
        self.passes(lint({"run": File("#!/bin/sh\nset -eu\n", True)}))
        self.fails(lint({"run": File("#!/bin/sh\nset -e\n", True)}), "lacks 'set -eu'")

    def test_sourced_files_are_no_scripts(self):
        self.passes(lint({"list.sh": "packages=(a b)\n"}))

    def test_function_length(self):
        body = "#!/bin/sh\nset -eu\nf() {\n" + "true\n" * 68 + "{}}}\n"
        self.passes(lint({"run": File(body.replace("{}}}", "}"), True)}))
        self.fails(lint({"run": File(body.replace("{}}}", "true\n}"), True)}), "f has 71 lines", 3)


class FunctionLength(TidyTestCase):
    def test_limit_is_exact(self):
        self.passes(lint_cc(function_of(70)))
        self.fails(lint_cc("\n" + function_of(71)), "F has 71 lines", 2)

    def test_signatures(self):
        for signature, name in (
                ("absl::Status Store::Put(int a) const noexcept", "Store::Put"),
                ("TEST(Suite, Name)", "TEST"), ("TEST_F(Suite, Name)", "TEST_F"),
                ("template <typename T>\nstd::vector<T> Make(T t) requires(true)", "Make"),
                ("bool operator==(const A& a, const A& b)", "operator=="),
                ("A& A::operator=(const A& a)", "A::operator="), ("A::~A()", "A::~A"),
                ("auto F(int x) -> std::map<int, int>", "F"),
                ("Class::Class(int x) : a_(x)", "Class::Class"),
                ("const auto f = [](int x)", "a"), ('extern "C" int Main(const char* s)', "Main"),
                ("struct tm* Now(int a) const", "Now"),
                ("void F() ABSL_LOCKS_EXCLUDED(mutex_)", "F")):
            lines = 71 - signature.count("\n")
            problems = lint_cc(function_of(lines, signature))
            self.fails(problems, f"{name}")
            self.assertIn("has 71 lines", problems[0])
            self.passes(lint_cc(function_of(lines - 1, signature)))

    def test_member_initialisers_with_braces(self):
        head = "A::A(int x)\n    : a_{x},\n      b_{std::move(x)} {\n"
        self.passes(lint_cc(head + "  G();\n" * 66 + "}\n"))
        self.fails(lint_cc(head + "  G();\n" * 67 + "}\n"), "A::A has 71 lines", 1)

    def test_functions_inside_scopes(self):
        inner = function_of(71)
        for scope in ("namespace a {\nnamespace {\n{}}\n}\n",
                      "class A final : public B<int> {\n{}};\n",
                      "template <typename T>\nstruct A {\n private:\n{}};\n",
                      'extern "C" {\n{}}\n',
                      "namespace a::b {\nclass C {\n public:\n{}};\n}\n"):
            self.fails(lint_cc(scope.replace("{}", inner)), "F has 71 lines")

    def test_long_types_tables_and_namespaces_are_no_functions(self):
        self.passes(lint_cc("namespace a {\n" + function_of(60) * 5 + "}\n"))
        self.passes(lint_cc("class A {\n" + "  void F();\n" * 100 + "};\n"))
        self.passes(lint_cc("const Row kRows[] = {\n" + "  {F(1), {2}},\n" * 100 + "};\n"))
        self.passes(lint_cc("enum class E {\n" + "  kA,\n" * 100 + "};\n"))

    def test_braces_in_literals_comments_and_macros_do_not_count(self):
        line = "  G(\"}\", '}', R\"x(}})x\");  // }\n"
        body = "int F() {\n" + line * 68 + "  H(10'000); /* } */\n}\n"
        self.fails(lint_cc(body), "F has 71 lines", 1)
        self.passes(lint_cc("#define M(x) \\\n  do { \\\n" + function_of(60) + function_of(60)))

    def test_python(self):
        body = "def f():\n" + "    g()\n" * 69
        self.passes(lint({"a.py": body}))
        self.fails(lint({"a.py": body + "    g()\n"}), "f has 71 lines", 1)


class Guards(TidyTestCase):
    def test_form(self):
        self.passes(lint({"storage/base/x.h": GUARD.format("")}))
        self.fails(lint({"storage/base/y.h": GUARD.format("")}), "VARVE_STORAGE_BASE_Y_H_")
        self.fails(lint({"storage/base/x.h": "#pragma once\n"}), "lacks the header guard")
        self.fails(lint({"storage/base/x.h": GUARD.format("").replace("#endif  //", "#endif //")}),
                   "does not end with")


class Includes(TidyTestCase):
    def check(self, path, included, sentence=None):
        problems = lint_cc(f'#include "{included}"\n', path)
        if sentence is None:
            self.passes(problems)
        else:
            self.fails(problems, sentence, 1)

    def test_storage_stays_below_the_doors(self):
        for included in ("daemon/log.h", "client/client.h", "grpcpp/grpcpp.h", "grpc/grpc.h",
                         "varve/v1/blobs.pb.h", "google/protobuf/message.h"):
            self.check("storage/blob/x.cc", included, "storage/ must not include")
        self.check("storage/blob/x.cc", "tests/support/x.h", "only tests")

    def test_storage_layers_point_downwards(self):
        order = tidy_test.STORAGE_ORDER
        for low, below in enumerate(order):
            for high, above in enumerate(order):
                sentence = "downwards" if high > low else None
                if below == "api" and above == "index":
                    sentence = "seam must not know"
                self.check(f"storage/{below}/x.cc", f"storage/{above}/x.h", sentence)
            self.check(f"storage/{below}/x.cc", "storage/engine.h", "downwards")
            self.check(f"storage/{below}/x.cc", "storage/limits.h")
            self.check("storage/engine.cc", f"storage/{below}/x.h")
        self.check("storage/unheard_of/x.cc", "storage/base/x.h", "STORAGE_ORDER")

    def test_the_store_seam(self):
        for path in ("storage/engine.cc", "storage/blob/x.cc", "storage/catalog/x.cc",
                     "storage/reclaim/x.cc", "daemon/http/x.cc", "client/x.cc", "tests/x.cc"):
            self.check(path, "storage/api/store.h")
        for path in ("storage/base/x.cc", "storage/image/x.cc", "storage/index/x.cc"):
            self.check(path, "storage/api/store.h", "downwards")
        self.check("storage/api/x.cc", "storage/index/index.h", "seam must not know")

    def test_daemon_and_client(self):
        self.check("daemon/x.cc", "client/client.h", "daemon/ must not include client/")
        self.check("daemon/x.cc", "storage/engine.h")
        self.check("client/x.cc", "daemon/log.h", "client/ must not include")
        self.check("client/x.cc", "storage/blob/x.h", "client/ must not include")
        self.check("client/x.cc", "storage/catalog/catalog.h", "client/ must not include")
        for included in ("storage/base/status.h", "storage/image/digest.h", "storage/limits.h",
                         "storage/image/names.h"):
            self.check("client/x.cc", included)

    def test_libraries_have_one_home(self):
        self.check("storage/blob/x.cc", "rocksdb/db.h", "use storage/index/index.h")
        self.check("storage/index/rocksdb_index.cc", "rocksdb/db.h")
        self.check("tests/support/x.cc", "rocksdb/file_system.h")
        self.check("storage/blob/x.cc", "openssl/sha.h", "use Hasher")
        self.check("storage/image/hasher.cc", "openssl/sha.h")
        self.check("daemon/x.cc", "boost/json.hpp", "constant of this linter")
        self.check("daemon/x.cc", "boost/json/src.hpp", "constant of this linter")
        self.check("storage/image/manifest.cc", "boost/json/src.hpp")
        self.check("storage/blob/x.cc", "absl/log/log.h", "use daemon/log.h")
        self.check("daemon/x.cc", "absl/synchronization/mutex.h", "use storage/base/mutex.h")

    def test_zstd_in_one_source(self):
        cmake = "add_library(x a.cc b.cc)\n"
        zstd = "#include <zstd.h>\n"
        self.passes(lint({"a.cc": zstd, "b.cc": "", "CMakeLists.txt": cmake}))
        problems = lint({"a.cc": zstd, "b.cc": zstd, "CMakeLists.txt": cmake})
        self.assertEqual(len(problems), 2, problems)
        self.fails(lint({"storage/base/x.h": GUARD.format(zstd)}), "belongs into one .cc")


class Banned(TidyTestCase):
    def test_abseil(self):
        self.fails(lint_cc("absl::Mutex m;\n"), "absl::Mutex is banned", 1)
        self.fails(lint_cc('auto s = absl::StrCat("a");\n'), "use varve::StrCat", 1)
        self.passes(lint_cc("// absl::Mutex and absl::StrCat\nauto s = StrCat();\n"))
        self.passes(lint({"storage/base/str_cat.h": GUARD.replace("X_H_", "STR_CAT_H_").format(
            "inline int F() { return absl::StrCat(); }")}))

    def test_skips_say_why(self):
        self.fails(lint_cc("void F() { GTEST_SKIP(); }\n"), "says why", 1)
        self.passes(lint_cc('void F() { GTEST_SKIP()\n  << "no docker"; }\n'))

    def test_disabled_tests(self):
        self.fails(lint_cc("TEST(A, DISABLED_B) {}\n"), "disabled", 1)
        self.passes(lint_cc("// DISABLED_ is banned\n"))


class Words(TidyTestCase):
    def test_one_word_per_meaning(self):
        for word, instead in (("garbage collection", "reclaim"), ("a refcount", "edge"),
                              ("an upload session", "upload"), ("the WAL", "log of the index"),
                              ("corrupted rows", "damage"), ("two folders.", "directory"),
                              ("the catalog, too", "catalogue")):
            self.fails(lint({"a.md": f"# T\n\nSee {word}\n"}), f"say '{instead}", 3)
            self.fails(lint_cc(f"int a;\n// See {word}\n"), f"say '{instead}", 2)
            self.fails(lint({"x.cmake": f"set(a b)  # See {word}\n"}), f"say '{instead}", 1)
            self.fails(lint({"x.proto": f"// See\n// {word}\n"}), f"say '{instead}", 2)

    def test_a_sentence_begins_with_the_thing(self):
        for line in ("What the disk keeps is kept.", "It goes. What stays is seen",
                     "| a | b. What c |"):
            self.fails(lint({"a.md": f"# T\n\n{line}\n"}), "begins with What", 3)
        for line in ("What is it? A store.", "It says what. Whatever", "```\nWhat now\n```"):
            self.passes(lint({"a.md": f"# T\n\n{line}\n"}))

    def test_code_and_other_words_may_be_called_so(self):
        self.passes(lint({"a.md": "# T\n```\nfolder\n```\n`gc` [x](the/folder) catalogue\n"}))
        self.passes(lint_cc('// `ingest`, storage/catalog/x.cc, Catalog::Find, incorruptible\n'
                            'const char* folder = "corrupt";\n'))
        self.passes(lint({"a.py": 'FOLDER = "corrupt"\nfolder()\n'}))


class Sources(TidyTestCase):
    def test_every_source_is_listed(self):
        self.fails(lint({"storage/a.cc": ""}), "listed in no CMakeLists.txt")
        for text in ("# a.cc\n", "f(ba.cc)\n", "f(a.cc.in)\n"):
            self.fails(lint({"storage/a.cc": "", "storage/CMakeLists.txt": text}), "listed in no")
        self.passes(lint({"storage/a.cc": "", "storage/CMakeLists.txt": "f(\n  a.cc)\n"}))

    def test_lists_that_are_included(self):
        source = "tests/storage/index/a.cc"
        self.passes(lint({source: "", "tests/storage/index/tests.cmake": "f(index/a.cc)\n"}))
        self.passes(lint({source: "", "tests/storage/index/tests.cmake":
                                  "f(${CMAKE_CURRENT_LIST_DIR}/a.cc)\n"}))
        self.fails(lint({source: "", "tests/CMakeLists.txt": "f(a.cc)\n"}), "listed in no")


class Guards(TidyTestCase):
    PAGE = "# Guards\n\n| line | row | in |\n|---|---|---|\n| `tag` | `t` | `put.cc` |\n"
    TEST = "// GUARDS.md: tag\nTEST(A, B) {}\n"
    LIST = {"CMakeLists.txt": "add_library(x storage/catalog/put.cc tests/a_test.cc)\n"}

    def lint_with(self, test=TEST, guarding="Guard::kShared;\n"):
        return lint({"storage/GUARDS.md": self.PAGE, "tests/a_test.cc": test,
                     "storage/catalog/put.cc": guarding, **self.LIST})

    def test_each_line_has_a_test(self):
        self.passes(self.lint_with())
        self.fails(self.lint_with(test="TEST(A, B) {}\n"), "no test names the line tag", 5)

    def test_each_test_has_a_line(self):
        self.fails(self.lint_with(test=self.TEST + "// GUARDS.md: hold\n"), "has no line hold", 3)

    def test_who_takes_guards_stands_in_a_line(self):
        page = self.PAGE.replace("`put.cc`", "`other.cc`")
        tree = {"storage/GUARDS.md": page, "tests/a_test.cc": self.TEST, **self.LIST}
        tree["storage/catalog/put.cc"] = "\nGuard::kShared;\n"
        self.fails(lint(tree), "takes guards", 2)
        tree["storage/catalog/put.cc"] = "// Guard::kShared\n"
        self.passes(lint(tree))


if __name__ == "__main__":
    unittest.main()
