"""The house's rules: who may import whom, what a bare import costs, and that the lists of dependencies agree."""

from __future__ import annotations

import ast
import functools
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

FLOORS: dict[str, float] = {
    "app": 5,
    "hypersd.cli": 5,
    "hypersd.__main__": 6,
    "hypersd.api": 5,
    "hypersd.feedback": 4,
    "hypersd.distill": 3,
    "hypersd.evaluate": 3,
    "hypersd.training": 2,
    "hypersd.sampling": 2,
    "hypersd.scorers": 1.5,
    "hypersd.deploy": 1,
    "hypersd.models": 1,
    "hypersd.arena": 1,
    "hypersd.emoji": 0.5,
    "hypersd.utils": 0,
    "hypersd": 0,
}
EMOJI_TRAINERS = ("hypersd.emoji.training", "hypersd.emoji.perception.solo_training")
"""The modules of hypersd/emoji that train it; they stand on hypersd/training, higher than the world they draw."""

GROUND = (
    "hypersd.utils.files",
    "hypersd.utils.outputs",
    "hypersd.utils.errors",
    "hypersd.utils.environment",
    "hypersd.utils.log_format",
    "hypersd.resources",
    "hypersd.utils.file_kinds",
)
"""The ground floor, which stands on nothing: whoever writes a file needs it, the arena too."""

WRITERS = {
    *("write_text", "write_bytes", "savefig", "save_file", "save_pretrained", "save_lora_weights", "write_table"),
    *("to_csv", "to_parquet", "to_json", "ParquetWriter", "copyfile", "copytree", "tofile", "savez"),
}
WHOLE = {"atomic_path", "atomic_folder", "TemporaryDirectory"}
SAVERS = {"checkpoint", "run", "model", "second", "objective", "self.backbone"}
"""Names before `.save(…)` where that is a method of ours, whose own writers are checked."""

OTHER_WRITERS = {
    ("hypersd.arena.dataset.export", "write"): "its callers give it a path of atomic_folder, or of a temporary folder",
    ("hypersd.scorers.backbones", "save"): "RewardModel.save gives it an atomic_folder",
    ("hypersd.scorers.image_reward", "save"): "RewardModel.save gives it an atomic_folder",
    ("app.services.loop_runner", "start"): "the log of a process, which grows",
    ("app.services.arena", "read_secret"): "made by whoever comes first, which a file that replaces another cannot be",
}

VOTES = ("hypersd.arena", "hypersd.feedback")
STANDARD_LIBRARY = sys.stdlib_module_names | {"__future__"}


@functools.cache
def parsed(file: Path) -> ast.Module:
    """A file's syntax tree; all rules read the same."""
    return ast.parse(file.read_text())


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Every module of the package and the page, with its dotted name."""
    for folder in ("hypersd", "app"):
        for file in sorted((root / folder).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """The dotted names a file imports; and whether at its top level, so whenever it is imported itself."""
    tree = parsed(file)
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            yield from ((f"{node.module}.{alias.name}", id(node) in top) for alias in node.names)


def room(module: str) -> str:
    """The part of the house a module is in: `hypersd.models.specs` is in `hypersd.models`."""
    parts = module.split(".")
    return next((name for n in (2, 1) if (name := ".".join(parts[:n])) in FLOORS), "")


def floor(module: str) -> float:
    """The floor a module is on. The trainers of the embedded family stand half a floor above what they use."""
    return 2.5 if module.startswith(EMOJI_TRAINERS) else FLOORS[room(module)]


def internal(root: Path) -> Iterator[tuple[str, str]]:
    """Every import from one of our modules of another, as (importer, imported module)."""
    names = {name for name, _ in modules(root)}
    for name, file in modules(root):
        for imported, _ in imports(file):
            if imported.split(".")[0] in {"hypersd", "app"}:
                yield name, imported if imported in names else imported.rpartition(".")[0]


def test_imports_run_downwards_only(root: Path) -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, imported in internal(root)
        if room(name) != room(imported) and floor(imported) >= floor(name)
    ]
    assert not wrong


def test_modules_form_no_circle(root: Path) -> None:
    edges: dict[str, set[str]] = {}
    for name, imported in internal(root):
        if name != imported:
            edges.setdefault(name, set()).add(imported)
    while leaves := {name for below in edges.values() for name in below} - edges.keys():
        edges = {name: rest for name, below in edges.items() if (rest := below - leaves)}
    in_circles = {name for below in edges.values() for name in below} & edges.keys()
    assert not in_circles


def test_every_folder_has_a_floor(root: Path) -> None:
    folders = {f"hypersd.{folder.name}" for folder in (root / "hypersd").iterdir() if any(folder.glob("*.py"))}
    assert folders <= FLOORS.keys()


def test_only_the_page_imports_gradio(root: Path) -> None:
    users = {name for name, file in modules(root) for imported, _ in imports(file) if imported.startswith("gradio")}
    assert not {name for name in users if room(name) != "app"}


def test_the_page_does_no_tensors_sql_or_maths(root: Path) -> None:
    barred = ("torch", "numpy", "scipy", "sqlalchemy", "sqlite3", "diffusers", "transformers")
    wrong = {
        f"{name} imports {imported}"
        for name, file in modules(root)
        if room(name) == "app"
        for imported, _ in imports(file)
        if imported.split(".")[0] in barred
    }
    assert not wrong


def test_the_arena_stands_alone_and_without_torch(root: Path) -> None:
    for name, file in modules(root):
        if room(name) == "hypersd.arena":
            for imported, _ in imports(file):
                assert imported.split(".")[0] not in {"torch", "app"}, name
                own = imported.startswith(("hypersd.arena", "hypersd.utils.estimates", *GROUND))
                assert own or not imported.startswith("hypersd"), name


def test_the_ground_floor_stands_on_the_standard_library(root: Path) -> None:
    for name, file in modules(root):
        if name in GROUND:
            for imported, _ in imports(file):
                assert imported.split(".")[0] in STANDARD_LIBRARY or imported.startswith(GROUND), name


def writes(call: ast.Call) -> str:
    """The name of the writer, if a call writes a file, or nothing."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in WRITERS:
        return "" if ast.unparse(function) == "write_text" else name  # that of hypersd.utils.files
    if name in {"open", "open_memmap"}:
        place = 0 if isinstance(function, ast.Attribute) and name == "open" else 1
        modes = [*call.args[place : place + 1], *(word.value for word in call.keywords if word.arg == "mode")]
        said = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
        return name if any(set(mode) & set("wx+") and "a" not in mode for mode in said) else ""
    if name == "save" and isinstance(function, ast.Attribute):
        places = [getattr(argument, "id", "") for argument in call.args[:2]]
        in_memory = places[:1] in (["buffer"], ["file"]) or places[1:] == ["buffer"]
        return "" if in_memory or ast.unparse(function.value) in SAVERS else name
    return ""


def bare_writers(tree: ast.AST, function: str = "", *, safe: bool = False) -> Iterator[tuple[str, int, str]]:
    """Calls that write a file outside of a block that makes it whole: their function, line, and name."""
    for node in ast.iter_child_nodes(tree):
        inside = safe
        if isinstance(node, ast.With):
            opened = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
            inside = safe or any(ast.unparse(call.func).rpartition(".")[2] in WHOLE for call in opened)
        if isinstance(node, ast.Call) and not safe and (name := writes(node)):
            yield function, node.lineno, name
        named = node.name if isinstance(node, ast.FunctionDef) else function
        yield from bare_writers(node, named, safe=inside)


def test_every_file_is_written_whole_or_not_at_all(root: Path) -> None:
    bare = [
        f"{name}:{line} {writer} in {function}"
        for name, file in modules(root)
        for function, line, writer in bare_writers(parsed(file))
        if name != "hypersd.utils.files" and (name, function) not in OTHER_WRITERS
    ]
    assert not bare, "write with atomic_path, atomic_folder, write_text or write_json of hypersd.utils.files"


@pytest.mark.parametrize(
    "code",
    [
        "picture.save(folder / 'grid.png')",
        "figure.savefig(path)",
        "(folder / 'a.json').write_text(text)",
        "with open(path, 'w') as file: file.write(text)",
        "with path.open(mode='wb') as file: file.write(data)",
        "save_file(tensors, path)",
        "model.config.save_pretrained(folder)",
        "np.save(path, latents)",
        "np.lib.format.open_memmap(path, mode='w+')",
        "pq.write_table(table, path)",
        "shutil.copyfile(one, other)",
    ],
)
def test_a_bare_writer_is_found(code: str) -> None:
    assert list(bare_writers(ast.parse(code)))
    assert not list(bare_writers(ast.parse(f"with atomic_path(file) as part:\n    {code}")))


def test_a_reader_is_no_writer() -> None:
    assert not list(
        bare_writers(
            ast.parse("open(path).read(); path.open('rb'); log.open('a'); picture.save(buffer); torch.save(x, buffer)")
        )
    )


def test_models_sampling_and_training_know_nothing_of_votes(root: Path) -> None:
    lower = ("hypersd.models", "hypersd.sampling", "hypersd.training")
    assert not [pair for pair in internal(root) if room(pair[0]) in lower and pair[1].startswith(VOTES)]


def test_only_models_asks_which_family_it_is(root: Path) -> None:
    """No comparison with a family's name, outside hypersd/models."""
    families = {"emoji", "sdxl", "sd15"}
    wrong = [
        f"{file}:{node.lineno}"
        for name, file in modules(root)
        if room(name) != "hypersd.models"
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.Compare)
        for part in (node.left, *node.comparators)
        if isinstance(part, ast.Constant) and part.value in families
    ]
    assert not wrong


def test_only_where_a_family_is_declared_is_the_embedded_world_imported(root: Path) -> None:
    """Training and distilling work on any captioned pictures (`hypersd.training.data.CaptionedData`)."""
    open_to_any = ("hypersd.training", "hypersd.distill", "hypersd.sampling")
    users = {name for name, imported in internal(root) if room(imported) == "hypersd.emoji"}
    assert not {name for name in users if room(name) in open_to_any}
    assert {name for name in users if room(name) == "hypersd.models"} == {"hypersd.models.families.embedded"}


ENVIRONMENT = "hypersd.utils.environment"
"""The one module that names the environment; everything else asks it, or is passed values."""

ENVIRONMENT_NAMES = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def environment_readers(tree: ast.AST) -> Iterator[int]:
    """Lines that name the environment of the process."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            names = {alias.name for alias in node.names}
        else:
            names = {node.attr} if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os" else set[str]()
        if names & ENVIRONMENT_NAMES:
            yield node.lineno


def test_one_module_reads_the_environment(root: Path) -> None:
    files = [*modules(root), ("app.py", root / "app.py")]
    readers = {name for name, file in files if list(environment_readers(parsed(file)))}
    assert readers == {ENVIRONMENT}


@pytest.mark.parametrize(
    "code", ["os.environ['A']", "os.getenv('A')", "from os import environ", "def f(given=os.environ): pass"]
)
def test_a_reader_of_the_environment_is_found(code: str) -> None:
    assert list(environment_readers(ast.parse(code)))
    assert not list(environment_readers(ast.parse("import os; os.getpid(); environment.variables()")))


def test_nothing_prints_but_the_command_line(root: Path) -> None:
    printing = {
        name
        for name, file in modules(root)
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert not {name for name in printing if room(name) != "hypersd.cli"}


def test_nothing_but_tensors_is_unpickled(root: Path) -> None:
    for name, file in modules(root):
        barred = {"pickle", "cloudpickle", "dill", "joblib"}
        assert not {imported for imported, _ in imports(file)} & barred, name
        calls = [call for call in ast.walk(parsed(file)) if isinstance(call, ast.Call)]
        loads = [ast.unparse(call) for call in calls if ast.unparse(call.func) == "torch.load"]
        assert all("weights_only=True" in load for load in loads), name


def test_every_module_says_what_it_is_for(root: Path) -> None:
    bare = [name for name, file in modules(root) if ast.get_docstring(parsed(file)) is None]
    assert not bare


@pytest.mark.parametrize("module", ["hypersd", "hypersd.models.specs", "hypersd.cli.main"])
def test_a_bare_import_loads_nothing_heavy(root: Path, module: str) -> None:
    heavy = {"torch", "diffusers", "transformers", "peft", "gradio", "numpy", "pandas", "PIL", "sqlalchemy", "scipy"}
    script = f"import json, sys; import {module}; print(json.dumps(list(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert not heavy & set(json.loads(out.stdout))


def test_the_page_answers_before_it_loads_what_draws(root: Path) -> None:
    """A thread imports torch and diffusers, which takes longer than all the rest, while the page is served."""
    script = "import json, sys; import app.build; print(json.dumps(list(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert not {"torch", "diffusers", "transformers", "peft"} & set(json.loads(out.stdout))


def test_the_package_wins_over_the_entry_point(root: Path) -> None:
    """`app.py` and `app/` share a name: an `import app` finds the folder."""
    script = "import app; print(app.__file__)"
    out = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert Path(out.stdout.strip()) == root / "app" / "__init__.py"


BANNED_LOCALS = {"told", "one", "found", "made", "theirs", "who"}
QUESTION_WORD = re.compile(r"(What|How|Whether|Where|Who|Whom|Whose|Which|When|Why|Whatever|Whoever)\b")
SHORT_SCOPES = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


def sources(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Every Python file of the repository with its tree: the package, the page, the tests, the benchmarks."""
    for folder in ("hypersd", "app", "tests", "benchmarks"):
        for file in sorted((root / folder).rglob("*.py")):
            yield file.relative_to(root).as_posix(), parsed(file)


def test_no_file_name_occurs_twice(root: Path) -> None:
    """A stack trace or an editor's tab names the file alone: it must say which one."""
    places: dict[str, list[str]] = {}
    for name, file in modules(root):
        if file.name not in {"__init__.py", "__main__.py", "env.py"}:
            places.setdefault(file.name, []).append(name)
    assert not {name: where for name, where in places.items() if len(where) > 1}


def public_types(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names of public classes, and of type aliases with what they stand for."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, f"class at line {node.lineno}"
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name[0].isupper() and not name.isupper():
                yield name, ast.unparse(node.value)


def test_each_public_class_name_means_one_thing(root: Path) -> None:
    """An alias of numpy's or Gradio's types may be written in several files, if it is the same everywhere."""
    meanings: dict[str, set[tuple[str, str]]] = {}
    for name, file in modules(root):
        for word, meaning in public_types(parsed(file)):
            where = "" if "[" in meaning else name
            meanings.setdefault(word, set()).add((where, meaning))
    assert not {word: which for word, which in meanings.items() if len(which) > 1}


def locals_of(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Names that are bound, with their lines; not those of a comprehension or lambda of at most three lines."""
    pending: list[tuple[ast.AST, bool]] = [(tree, False)]
    while pending:
        parent, short = pending.pop()
        for node in ast.iter_child_nodes(parent):
            inside = short
            if isinstance(node, SHORT_SCOPES):
                inside = (node.end_lineno or 0) - node.lineno < 3
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inside = False
                yield node.name, node.lineno
            elif not short and isinstance(node, ast.arg):
                yield node.arg, node.lineno
            elif not short and isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id, node.lineno
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                yield node.attr, node.lineno
            pending.append((node, inside))


def test_no_local_name_says_nothing(root: Path) -> None:
    empty = [
        f"{file}:{line} {name}"
        for file, tree in sources(root)
        for name, line in locals_of(tree)
        if name in BANNED_LOCALS
    ]
    assert not empty


def test_docstrings_begin_with_the_thing(root: Path) -> None:
    """The first word is the noun or the verb of the thing: a reader who looks for it finds it."""
    riddles = [
        f"{file}:{node.lineno} {node.value.value.strip().splitlines()[0]}"
        for file, tree in sources(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        if QUESTION_WORD.match(node.value.value.strip())
    ]
    assert not riddles


OPEN_OBJECT = re.compile(r"(?:[dD]ict|Mapping)\[str, Any\]")
"""An object of anything: its reader must look for its keys elsewhere."""


def open_signatures(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Public functions and methods, with their lines, that take or return a dictionary of anything."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    for scope in (tree, *classes):
        for node in scope.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
                not node.name.startswith("_") or node.name in {"__init__", "__call__"}
            ):
                every = (
                    *node.args.posonlyargs,
                    *node.args.args,
                    *node.args.kwonlyargs,
                    node.args.vararg,
                    node.args.kwarg,
                )
                types = [argument.annotation for argument in every if argument] + [node.returns]
                if any(kind is not None and OPEN_OBJECT.search(ast.unparse(kind)) for kind in types):
                    yield node.name, node.lineno


def test_feedback_passes_no_dictionary_of_anything(root: Path) -> None:
    """Dataclasses, a `TypedDict`, or JSON that says so (`JsonValue`): its reader sees what is in it."""
    wrong = [
        f"{file}:{line} {name}"
        for module, file in modules(root)
        if room(module) == "hypersd.feedback"
        for name, line in open_signatures(parsed(file))
    ]
    assert not wrong


@pytest.mark.parametrize(
    "code",
    [
        "def f() -> dict[str, Any]: ...",
        "def f(*, given: Mapping[str, Any] | None = None): ...",
        "class A:\n    def f(self, rows: list[dict[str, Any]]): ...",
        "class A:\n    def __init__(self, metadata: dict[str, Any]): ...",
    ],
)
def test_a_dictionary_of_anything_is_seen(code: str) -> None:
    assert list(open_signatures(ast.parse(code)))
    assert not list(open_signatures(ast.parse(code.replace("def f", "def _f").replace("Any", "JsonValue"))))


EMOJI_USERS = ("hypersd.emoji", "hypersd.models", "hypersd.cli.commands.emoji")
"""Modules that may import the embedded family's world."""


def test_only_the_family_s_own_rooms_import_its_world(root: Path) -> None:
    users = {name for name, imported in internal(root) if imported.startswith("hypersd.emoji")}
    others = {name for name in users if not name.startswith(EMOJI_USERS)}
    assert not others, "these must get their data from a family's capabilities"


def requirements(file: Path) -> dict[str, str]:
    """The requirements in a file: name to version range."""
    lines = (line.split("#")[0].strip() for line in file.read_text().splitlines())
    return dict(split(line) for line in lines if line and not line.startswith("-r"))


def split(requirement: str) -> tuple[str, str]:
    """`pandas>=2,<4` to its name, normalised, and its range."""
    name = re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower(), requirement[len(name) :].replace(" ", "")


def test_requirements_and_pyproject_agree(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert requirements(root / "requirements.txt") == dict(split(line) for line in project["dependencies"])


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_ranges(root: Path, file: str) -> None:
    for name, versions in requirements(root / file).items():
        assert "==" not in versions, name
        assert ">=" in versions, name


def test_every_library_that_is_imported_is_required(root: Path) -> None:
    known = metadata.packages_distributions()
    required = requirements(root / "requirements.txt").keys()
    ours = STANDARD_LIBRARY | {"hypersd", "app"}
    missing = {
        f"{name} imports {imported}"
        for name, file in modules(root)
        for imported, at_top in imports(file)
        if (package := imported.split(".")[0]) not in ours
        and (at_top or package in known)  # an import inside a function may be of something optional
        and not required & {split(distribution)[0] for distribution in known.get(package, [])}
    }
    assert not missing


BY_NAME_ONLY = frozenset({"psycopg", "httptools", "uvloop", "mcp"})
"""Libraries that others load: SQLAlchemy the driver of `DATABASE_URL`, uvicorn its faster parts, Gradio `mcp`."""


def test_every_library_that_is_required_is_imported(root: Path) -> None:
    used = {imported.split(".")[0] for _, file in modules(root) for imported, _ in imports(file)}
    known = metadata.packages_distributions()
    provided = {split(distribution)[0] for package in used for distribution in known.get(package, [])}
    assert requirements(root / "requirements.txt").keys() - provided - BY_NAME_ONLY == set()


def test_the_space_installs_the_gradio_that_is_required(root: Path) -> None:
    front_matter = (root / "README.md").read_text().split("---")[1]
    version = re.search(r"^sdk_version: (\d+)\.(\d+)\.\d+$", front_matter, re.MULTILINE)
    assert version
    assert (
        requirements(root / "requirements.txt")["gradio"]
        .removeprefix("[oauth]")
        .startswith(f">={version[1]}.{version[2]}")
    )
    assert 'python_version: "3.12"' in front_matter
    assert "app_file: app.py" in front_matter


def test_ci_runs_the_readme_s_test_command(root: Path) -> None:
    command = "pip install -r requirements-dev.txt && pytest -n 2"
    assert f"\n{command}\n" in (root / "README.md").read_text()
    assert command in (root / ".ci" / "run").read_text()


def test_the_readme_s_links_and_pictures_exist(root: Path) -> None:
    for document in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (root / document).read_text()):
            assert target.startswith("https://") or (root / target).exists(), f"{document}: {target}"


def test_the_drawn_tree_names_every_module(root: Path) -> None:
    text = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = set(re.findall(r"\w+", text[text.index("## The tree") : text.index("### The tree before")]))
    in_sum = {
        "commands",
        "recipes",
        "migrations",
        "versions",
    }  # described as a whole: a file a command, a method, a revision
    missing = [
        str(file.relative_to(root))
        for file in [*(root / "hypersd").rglob("*.py"), *(root / "app").rglob("*.py")]
        if not file.stem.startswith("__") and file.parent.name not in in_sum and file.stem not in tree
    ]
    assert not missing


def test_the_weights_stay_under_60_megabytes(root: Path) -> None:
    weights = list((root / "assets").rglob("*.safetensors"))
    assert sum(file.stat().st_size for file in weights) < 60e6


def test_no_file_of_weights_or_data_is_a_pickle(root: Path) -> None:
    assert not [
        file for file in (root / "assets").rglob("*") if file.suffix in {".bin", ".pt", ".pth", ".pkl", ".ckpt"}
    ]


def test_the_sprites_come_with_their_licences(root: Path) -> None:
    text = (root / "assets" / "emoji-xl" / "sprites" / "LICENSE").read_text()
    for holder in ("(c) Microsoft Corporation", "(c) 2023 LobeHub", "(c) 2013 Cal Henderson"):
        assert holder in text
    notice = (root / "NOTICE").read_text()
    assert "@lobehub/fluent-emoji-3d 1.1.0" in notice
    assert "emoji-datasource 16.0.0" in notice
    holders = {"flat": "(c) Microsoft Corporation", "noto": "Copyright Google LLC", "twemoji": "Copyright 2020 Twitter"}
    for style, holder in holders.items():
        assert holder in (root / "assets" / "emoji-xl" / "styles" / style / "LICENSE").read_text()
    for package in ("@svgmoji/noto 3.2.0", "@twemoji/svg 15.0.0", "@lobehub/fluent-emoji-flat 1.1.0"):
        assert package in notice


def test_no_merge_conflict_is_left(root: Path) -> None:
    folders = [root / name for name in ("app", "assets", "benchmarks", "docs", "hypersd", "tests")]
    files = [*root.iterdir(), *(file for folder in folders for file in folder.rglob("*"))]
    texts = [file for file in files if file.suffix in {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".js", ".css"}]
    marker = re.compile("^(<{7} |>{7} )", re.MULTILINE)
    assert texts
    assert not [str(file) for file in texts if marker.search(file.read_text(encoding="utf-8"))]
