#!/usr/bin/env python3
"""The habits of this tree that a program can check (CONTRIBUTING.md), over every file that git
tracks or would track. Prints one line a problem, path:line: sentence, and exits with 1 when there
is one. There is no list of exceptions; tidy_selftest.py shows each check failing.
"""

import ast
import os
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

MAX_FILE_LINES = 800
MAX_FUNCTION_LINES = 70
MAX_COLUMNS = 100

# Each directory of storage/ may include itself and those before it; files directly in storage/ any.
STORAGE_ORDER = ("base", "image", "index", "api", "deflate", "tar", "blob", "pack", "promises",
                 "keep", "catalog", "claims", "images", "jobs", "reclaim", "check")
ENGINE_RANK = len(STORAGE_ORDER)
# The seam between doors and engine, and the client, know vocabulary alone.
VOCABULARY = ("storage/base/", "storage/image/", "storage/api/", "storage/limits.h")

# Where a library may be included: (what is included, files or directories that may, what to do).
LIBRARY_HOMES = (
    (r"rocksdb/", ("storage/index/rocksdb_", "tests/support/", "tests/storage/index/"),
     "use storage/index/index.h"),
    (r"openssl/", ("storage/image/hasher.h", "storage/image/hasher.cc"), "use Hasher"),
    (r"boost/json", ("storage/image/manifest.cc", "storage/image/image_config.cc",
                     "client/archive/image_layout.cc", "client/cli/json_value.cc",
                     "tests/client/",
                     "tests/storage/reclaim/docker_scenario.h",
                     "tests/storage/reclaim/docker_scenario.cc"),
     "its homes are a constant of this linter"),
    (r"archive(_entry)?\.h$", ("client/archive/", "tests/client/"), "use client/archive/"),
    (r"zlib\.h$", ("client/archive/gzip_stream.cc", "storage/deflate/",
     "tests/storage/deflate/"),
     "use GzipStream or storage/deflate/"),
    (r"absl/log/", (), "use daemon/log.h"),
    (r"absl/synchronization/", (), "use storage/base/mutex.h"),
)
ONE_HOME_HEADERS = ("zstd.h",)

# Written in two halves: the linter reads itself too.
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" "DO", "FIX" "ME", "X" "XX")) + r")\b")

# {word of the glossary of ARCHITECTURE.md: words that must not stand for it in Markdown and
# comments}. `code` may be called so, and classes are: Ingest, Catalog.
BANNED_WORDS = {
    "reclaim": ("garbage collect", "garbage collection", "garbage collector", "garbage collected",
                "garbage-collected", "gc", "GC", "purge", "purges", "purged", "vacuum"),
    "edge": ("refcount", "refcounts", "refcounting", "ref-count", "ref count", "reference count",
             "reference counts", "reference counting"),
    "upload": ("upload session", "upload sessions", "push session", "ingest", "ingests"),
    "sync": ("fsync", "fsyncs", "fsynced"),
    "log of the index": ("WAL", "write-ahead log", "write-ahead logs"),
    "damage": ("corrupt", "corrupts", "corrupted", "corruption"),
    "mark of a deleted row": ("tombstone", "tombstones"),
    "guard": ("row lock", "row locks", "row-lock"),
    "door": ("frontend", "frontends", "front-end", "front end"),
    "engine": ("backend", "backends", "back-end", "back end"),
    "directory": ("folder", "folders"),
    "catalogue": ("catalog", "catalogs"),
}

CPP = (".cc", ".h")
WIDTH_CHECKED = CPP + (".cmake", ".py", ".sh", ".proto")
TEXT = WIDTH_CHECKED + (".md", ".toml", ".json", ".yml", ".yaml", ".service", ".in")


class File(NamedTuple):
    text: str
    executable: bool = False


class Problem(NamedTuple):
    path: str
    line: int
    sentence: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.sentence}"


# --- reading ---------------------------------------------------------------------------------

CPP_LITERAL = re.compile(
    r"""(?P<number>\b\d(?:'?[\w.])*)"""
    r"""|(?P<raw>R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)")"""
    r"""|(?P<comment>//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*")"""
    r"""|(?P<char>'(?:\\.|[^'\\\n])*')""", re.S)


def cpp_code(text):
    """`text` without comments and the insides of literals; every line keeps its number."""
    def blank(match):
        newlines = "\n" * match.group().count("\n")
        if match.group("number"):
            return match.group()
        return newlines if match.group("comment") else '""' + newlines
    return CPP_LITERAL.sub(blank, text)


def without_preprocessor(code):
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: "\n" * m.group().count("\n"), code,
                  flags=re.M)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def shell_of(file):
    """The shell that runs a script, else None: a file without '#!' is sourced, not run."""
    match = re.match(r"#!\s*\S*?(?:env\s+)?(bash|sh|dash)\b", file.text)
    return match.group(1) if match else None


def is_cmake(path):
    return path.endswith(".cmake") or os.path.basename(path) == "CMakeLists.txt"


def is_checked_text(path, file, suffixes):
    return path.endswith(suffixes) or is_cmake(path) or file.text.startswith("#!")


def includes(text):
    """(line, path) of each #include."""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"]', text, re.M):
        yield line_of(text, match.start()), match.group(1)


# --- text --------------------------------------------------------------------------------------

def check_text(path, file):
    for number, line in enumerate(file.text.split("\n"), 1):
        if is_checked_text(path, file, TEXT):
            if "\t" in line:
                yield number, "has a tab"
            if line.endswith((" ", "\r")):
                yield number, "has a space at the end of the line"
            if UNFINISHED.search(line):
                yield number, "leaves work unfinished: do it, or file an issue"
        if is_checked_text(path, file, WIDTH_CHECKED) and len(line) > MAX_COLUMNS:
            yield number, f"has {len(line)} columns; at most {MAX_COLUMNS}"


def check_file_length(path, file):
    lines = file.text.count("\n")
    if path.endswith(CPP) and lines > MAX_FILE_LINES:
        yield MAX_FILE_LINES, f"has {lines} lines; at most {MAX_FILE_LINES}"


def can_be_wrapped(line):
    """Whether a line of Markdown has a space to break it at: a row of a table, and a link or a word
    that is too long by itself, have none."""
    text = re.sub(r"^\s*([-*+>]|\d+\.)?\s*", "", line)
    return not text.startswith("|") and " " in text


def check_markdown(path, file):
    if not path.endswith(".md"):
        return
    titles = []
    fence = None
    for number, line in enumerate(file.text.split("\n"), 1):
        mark = re.match(r"\s*(```|~~~)", line)
        if mark and fence in (None, mark.group(1)):
            fence = mark.group(1) if fence is None else None
        elif fence is None:
            if line.startswith("# "):
                titles.append(number)
            if len(line) > MAX_COLUMNS and can_be_wrapped(line):
                yield number, f"has {len(line)} columns; at most {MAX_COLUMNS}"
    if len(titles) != 1:
        yield (titles[1] if titles else 1), f"has {len(titles)} titles ('# …'); exactly one"


def check_shell(_, file):
    shell = shell_of(file)
    if shell is None:
        return
    wanted = "set -euo pipefail" if shell == "bash" else "set -eu"
    if not re.search("^" + re.escape(wanted), file.text, re.M):
        yield 1, f"lacks '{wanted}'"
    if not file.executable:
        yield 1, "is a script without the executable bit"


def check_cmake(path, file):
    if not is_cmake(path):
        return
    code = re.sub(r"#[^\n]*", "", file.text)
    for match in re.finditer(r"\binclude\([^)]*\bOPTIONAL\b|\bif\([^)]*\bEXISTS\b", code):
        yield line_of(code, match.start()), "a missing file is an error, not a choice"


# --- functions ---------------------------------------------------------------------------------

def too_long(name, first, last):
    lines = last - first + 1
    if lines > MAX_FUNCTION_LINES:
        return f"{name} has {lines} lines; at most {MAX_FUNCTION_LINES}"
    return None


def matching_brace(code, opening):
    depth = 0
    for match in re.finditer(r"[{}]", code[opening:]):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return opening + match.start()
    return len(code)


def opens_scope(head):
    """Whether the brace after `head` opens a namespace or type, whose functions are looked at."""
    if re.match(r'(inline\s+)?namespace\b|extern\s*""\s*$', head):
        return True
    head = re.sub(r"^template\s*<[^{}]*?>\s*(?=class|struct|union)", "", head)
    return re.match(r"(class|struct|union)\b(?!.*\)\s*(const|noexcept|override)?\s*$)", head,
                    re.S) is not None


def is_function(head):
    if "(" not in head:
        return False
    before = head.split("(", 1)[0]
    return "=" not in before or "operator" in before or "[" in before


def cpp_functions(text):
    """(name, first line, last line) of each function defined at namespace or class level. A brace
    heuristic: the signature starts after the previous ';', '{', '}' or access specifier."""
    code = without_preprocessor(cpp_code(text))
    start = at = 0
    token = re.compile(r"[{};]|\b(?:public|private|protected)\s*:(?!:)")
    while match := token.search(code, at):
        head = code[start:match.start()]
        at = match.end()
        if match.group() != "{" or opens_scope(head.strip()):
            start = at
            continue
        closing = matching_brace(code, match.start())
        at = min(closing + 1, len(code))
        # A member initialiser "a_{1}, b_{2} {" is not yet the body.
        if "(" in head and re.match(r"\s*[,{]", code[at:at + 200]):
            continue
        if is_function(head):
            first = start + len(head) - len(head.lstrip())
            name = re.search(r"([\w:~]+(?:\s*operator\s*\S+?)?)\s*\(", head)
            yield (name.group(1) if name else "a function", line_of(code, first),
                   line_of(code, closing))
        start = at


def shell_functions(text):
    lines = text.split("\n")
    opened = None
    for number, line in enumerate(lines, 1):
        match = re.match(r"(?:function\s+)?([\w-]+)\s*\(\)\s*[{(]\s*$", line)
        if match:
            opened = (match.group(1), number)
        elif opened and line.rstrip() in ("}", ")"):
            yield opened[0], opened[1], number
            opened = None


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno


def check_function_length(path, file):
    if path.endswith(CPP):
        functions = cpp_functions(file.text)
    elif path.endswith(".py"):
        functions = python_functions(file.text)
    elif shell_of(file) or path.endswith(".sh"):
        functions = shell_functions(file.text)
    else:
        return
    for name, first, last in functions:
        sentence = too_long(name, first, last)
        if sentence:
            yield first, sentence


# --- C++ ---------------------------------------------------------------------------------------

def check_guard(path, file):
    if not path.endswith(".h"):
        return
    guard = "VARVE_" + re.sub(r"[^A-Za-z0-9]", "_", path).upper() + "_"
    code = file.text
    if not re.search(rf"^#ifndef {guard}\n#define {guard}$", code, re.M):
        yield 1, f"lacks the header guard {guard}"
    elif not code.rstrip("\n").endswith(f"#endif  // {guard}"):
        yield code.count("\n"), f"does not end with '#endif  // {guard}'"


def storage_rank(path):
    """The layer of a file under storage/; None for what every layer may use."""
    parts = path.split("/")
    if len(parts) == 2:
        return None if path == "storage/limits.h" else ENGINE_RANK
    return STORAGE_ORDER.index(parts[1]) if parts[1] in STORAGE_ORDER else -1


def storage_include_problem(path, included):
    folder = path.split("/")[1]
    if included.startswith(("daemon/", "client/", "grpc", "google/protobuf")) or included.endswith(
            ".pb.h"):
        return f"storage/ must not include {included}"
    if not included.startswith("storage/"):
        return None
    own, other = storage_rank(path), storage_rank(included)
    if own == -1 or other == -1:
        return "name this folder of storage/ in STORAGE_ORDER of the linter"
    if own is not None and other is not None and other > own:
        return f"includes point downwards only; {included} lies above"
    if folder == "api" and not included.startswith(VOCABULARY):
        return "the seam must not know the engine"
    return None


def include_problem(path, included):
    top = path.split("/")[0]
    if top in ("storage", "daemon", "client", "proto") and included.startswith("tests/"):
        return "only tests include tests/"
    if top == "storage":
        return storage_include_problem(path, included)
    if top in ("daemon", "proto") and included.startswith("client/"):
        return f"{top}/ must not include client/"
    if top in ("client", "proto") and included.startswith(("daemon/", "storage/")):
        if not included.startswith(VOCABULARY):
            return f"{top}/ must not include {included}"
    return None


def check_includes(path, file):
    if not path.endswith(CPP):
        return
    for number, included in includes(file.text):
        problem = include_problem(path, included)
        if problem:
            yield number, problem
        for library, homes, advice in LIBRARY_HOMES:
            if re.match(library, included) and not path.startswith(homes or ("/",)):
                yield number, f"must not include {included}: {advice}"


BANNED_CODE = (
    (r"\babsl::Mutex\b", (), "absl::Mutex is banned: use storage/base/mutex.h"),
    (r"\babsl::StrCat\b", ("storage/base/str_cat.h",), "use varve::StrCat: storage/base/str_cat.h"),
    (r"\bGTEST_SKIP\s*\(\s*\)(?!\s*<<)", (), "a skip says why: GTEST_SKIP() << reason"),
    (r"\bDISABLED_", (), "a disabled test tests nothing"),
)


def check_banned(path, file):
    if not path.endswith(CPP):
        return
    code = cpp_code(file.text)
    for pattern, homes, sentence in BANNED_CODE:
        if path in homes:
            continue
        for match in re.finditer(pattern, code):
            yield line_of(code, match.start()), sentence


def prose(path, text):
    """(line, text) of the lines of Markdown, and of the comments of other files, without `code`."""
    if path.endswith(CPP + (".proto",)):
        found = [(line_of(text, match.start("comment")), match.group("comment"))
                 for match in CPP_LITERAL.finditer(text) if match.group("comment")]
        lines = [(first + n, line) for first, comment in found
                 for n, line in enumerate(comment.split("\n"))]
    elif path.endswith(".md"):
        blank = re.sub(r"^( *)(```|~~~).*?^ *\2", lambda m: "\n" * m.group().count("\n"), text,
                       flags=re.M | re.S)
        lines = enumerate(blank.split("\n"), 1)
    elif is_checked_text(path, File(text), (".cmake", ".py", ".sh", ".toml")):
        lines = [(number, match.group(1)) for number, line in enumerate(text.split("\n"), 1)
                 if (match := re.search(r"(?:^|\s)#(.*)", line))]
    else:
        lines = ()
    for number, line in lines:
        yield number, re.sub(r"`[^`]*`|\]\([^)]*\)|<[^>]*>", "``", line)


def check_words(path, file):
    instead = {word: good for good, words in BANNED_WORDS.items() for word in words
               if word in file.text}
    if not instead:
        return
    banned = re.compile(rf"(?<![\w/.:-])(?:{'|'.join(instead)})(?![\w/:(]|\.\w)")
    for number, line in prose(path, file.text):
        for word in banned.findall(line):
            yield number, f"says '{word}': say '{instead[word]}', as ARCHITECTURE.md does"


def check_openings(path, file):
    """Documents name the thing first: 'What the disk keeps is …' makes a reader wait for it."""
    if path.endswith(".md"):
        for number, line in prose(path, file.text):
            if re.search(r"(?:^|[.:;|!?] )(?:\* )?What (?!.*\?)", line):
                yield number, "has a sentence that begins with What: begin with the thing"


# --- the tree as a whole -----------------------------------------------------------------------

def check_one_home(files):
    for header in ONE_HOME_HEADERS:
        users = [(path, number) for path, file in sorted(files.items()) if path.endswith(CPP)
                 for number, included in includes(file.text) if included == header]
        homes = {path for path, _ in users}
        for path, number in users:
            if path.endswith(".h"):
                yield Problem(path, number, f"{header} belongs into one .cc")
            elif len(homes) > 1:
                yield Problem(path, number, f"{header} is included in {len(homes)} files, not one")


def listed_sources(files):
    """Every path that a CMake file could mean: its tokens, seen from its folder and those above,
    because a list that is included names sources relative to the list that includes it."""
    listed = set()
    for path, file in files.items():
        if not is_cmake(path):
            continue
        text = re.sub(r"#[^\n]*", "", file.text)
        for token in re.findall(r"[\w./${}+-]+\.cc(?![\w.])", text):
            token = re.sub(r"^\$\{\w+\}/", "", token)
            for folder in pathlib.PurePosixPath(path).parents:
                listed.add(os.path.normpath(os.path.join(str(folder), token)))
    return listed


def check_sources_listed(files):
    listed = listed_sources(files)
    for path in sorted(files):
        if path.endswith(".cc") and path not in listed:
            yield Problem(path, 1, "is listed in no CMakeLists.txt or .cmake file")


GUARDS = "storage/GUARDS.md"
TAKES_GUARDS = re.compile(r"\b(?:Guard::k|GetGuarded|HasGuarded|Protect\()")


def check_guards(files):
    """The page of guards against the tree: each line has a test that names it, and each file of
    storage/ that takes guards, but for the index itself, stands in a line."""
    if GUARDS not in files:
        return
    page = files[GUARDS].text
    lines = {match.group(1): line_of(page, match.start())
             for match in re.finditer(r"^\| `([\w-]+)` \|", page, re.M)}
    named = set()
    for path, file in sorted(files.items()):
        if path.startswith("tests/") and path.endswith(CPP):
            for match in re.finditer(r"GUARDS\.md: ([\w-]+)", file.text):
                named.add(match.group(1))
                if match.group(1) not in lines:
                    yield Problem(path, line_of(file.text, match.start()),
                                  f"{GUARDS} has no line {match.group(1)}")
        elif path.startswith("storage/") and path.endswith(".cc"):
            guard = TAKES_GUARDS.search(cpp_code(file.text))
            if guard and f"`{os.path.basename(path)}`" not in page and "/index/" not in path:
                yield Problem(path, line_of(cpp_code(file.text), guard.start()),
                              f"takes guards, and stands in no line of {GUARDS}")
    for name, number in lines.items():
        if name not in named:
            yield Problem(GUARDS, number, f"no test names the line {name}: 'GUARDS.md: {name}'")


FILE_CHECKS = (check_text, check_file_length, check_markdown, check_shell, check_cmake,
               check_function_length, check_guard, check_includes, check_banned, check_words,
               check_openings)
TREE_CHECKS = (check_one_home, check_sources_listed, check_guards)


def lint(files):
    """The problems of a tree, given as {path: File}."""
    problems = [Problem(path, line, sentence) for path, file in sorted(files.items())
                for check in FILE_CHECKS for line, sentence in check(path, file)]
    for check in TREE_CHECKS:
        problems.extend(check(files))
    return problems


def read_tree(root):
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root,
        check=True, capture_output=True).stdout.decode().split("\0")
    files = {}
    for name in sorted(set(filter(None, names))):
        path = root / name
        if path.is_symlink() or not path.is_file():
            continue
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:
            if name.endswith(TEXT) or is_cmake(name):
                raise SystemExit(f"{name}:1: is not UTF-8")
            continue
        files[name] = File(text, os.access(path, os.X_OK))
    return files


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    files = read_tree(root)
    problems = lint(files)
    for problem in problems:
        print(problem)
    print(f"{len(files)} files, {len(problems)} problems")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
