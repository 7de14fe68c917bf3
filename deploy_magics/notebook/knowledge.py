"""What is known of methods and functions without looking into them.

The names are conservative guesses by habit: a method whose result is thrown away was called for
what it does, a method whose result is kept changes its receiver only where its name says so.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CHANGES = _words(
    """
    append extend insert pop popitem popleft appendleft extendleft rotate remove clear sort reverse
    update setdefault add discard push put put_nowait get_nowait send throw close read readline
    readlines readinto write writelines writerow writerows seek truncate next __next__ __setitem__
    __delitem__ __setattr__ __delattr__ __iadd__ fit partial_fit fit_transform fit_predict seed
    setstate shuffle execute executemany executescript commit rollback subscribe unsubscribe connect
    register unregister attach detach fill itemset resize partition setflags put_along_axis step
    zero_grad backward load_state_dict enable disable start stop reset advance consume feed train
    move_to_end subtract appendChild set_params intersection_update difference_update
    symmetric_difference_update setLevel addHandler addFilter
    """
)
KEEPS_NOTHING = _words(
    """
    sort remove pop popitem popleft discard clear reverse rotate seek read readline readlines
    truncate next send throw close seed fit partial_fit fit_transform fit_predict step train
    """
)
_CHANGES_PREFIXES = (
    "add_",
    "set_",
    "register_",
    "append_",
    "insert_",
    "remove_",
    "update_",
    "del_",
)

_READS = _words(
    """
    head tail describe info show plot hist hist2d scatter bar barh boxplot pie imshow display print
    debug warning warn error critical exception log fatal keys values items get count index copy
    mean sum std var min max median mode round sample isna isnull notna notnull value_counts unique
    nunique corr cov groupby summary report stats join split strip lstrip rstrip startswith
    endswith format lower upper title encode decode replace rename drop dropna fillna astype
    sort_values sort_index
    reset_index set_index reindex merge concat apply map agg aggregate transform assign query eval
    rolling expanding ewm resample shift diff cumsum cumprod pct_change interpolate clip where mask
    drop_duplicates to_dict to_list tolist to_numpy to_string to_frame to_csv to_parquet to_json
    to_pickle to_excel to_feather to_html to_markdown to_sql to_hdf savefig write_image write_html
    write_text write_bytes exists is_file is_dir stat mkdir touch unlink rmdir iterdir glob predict
    predict_proba score get_params dot transpose reshape flatten ravel any all nlargest nsmallest
    isin between union intersection difference issubset issuperset isdisjoint find rfind isdigit
    isalpha cache_info tight_layout legend grid axhline axvline annotate flush
    wait result mro most_common elements total bit_length tell fileno isatty
    __len__ __repr__ __str__ __getitem__ __contains__ __eq__ __hash__ __getattribute__ fget
    """
)

_INPLACE = "inplace"

# Functions that change an argument, by its place. The part after the last dot is enough for some.
CHANGES_ARGUMENT = {
    "next": 0,
    "anext": 0,
    "setattr": 0,
    "delattr": 0,
    "heapq.heappush": 0,
    "heapq.heappop": 0,
    "heapq.heapify": 0,
    "heapq.heappushpop": 0,
    "heapq.heapreplace": 0,
    "bisect.insort": 0,
    "bisect.insort_left": 0,
    "bisect.insort_right": 0,
    "random.shuffle": 0,
    "numpy.random.shuffle": 0,
    "numpy.copyto": 0,
    "numpy.put": 0,
    "numpy.place": 0,
    "numpy.putmask": 0,
    "numpy.fill_diagonal": 0,
    "operator.setitem": 0,
    "operator.delitem": 0,
    "operator.iadd": 0,
    "operator.iconcat": 0,
    "json.dump": 1,
    "pickle.dump": 1,
    "object.__setattr__": 0,
    "functools.update_wrapper": 0,
}

# Functions that change the state of their module, and whose results depend on it.
_RANDOM = _words(
    """
    seed random uniform randint randrange choice choices sample shuffle gauss normalvariate
    betavariate expovariate gammavariate lognormvariate paretovariate triangular vonmisesvariate
    weibullvariate getrandbits randbytes binomialvariate setstate set_state rand randn random_sample
    normal standard_normal permutation integers binomial poisson exponential beta gamma lognormal
    standard_t multivariate_normal geometric laplace logistic bytes chisquare dirichlet multinomial
    """
)
_RANDOM_MODULES = ("random", "numpy.random", "torch", "tensorflow.random")

_SETS_MODULE = _words(
    """
    seed manual_seed set_option reset_option setlocale filterwarnings simplefilter resetwarnings
    basicConfig disable chdir putenv unsetenv umask seterr set_printoptions setrecursionlimit use
    set_seed setattr install uninstall enable register unregister monkeypatch patch patch_all
    setcontext set_default_dtype set_theme set_style set_palette set_context rc rcdefaults
    activate init initialize configure load_dotenv setdefaulttimeout set_loglevel switch_backend
    yf_pdr_override pdr_override extend_path field_size_limit
    """
)

NEVER_CHANGES = frozenset(
    {"print", "display", "repr", "help", "input", "vars", "dir", "id", "hash"}
)

# Builtins and functions whose result is no object that could be changed later.
PLAIN_RESULT = _words(
    """
    len sum int float str bool abs round min max any all isinstance issubclass callable hasattr
    print display repr format ord chr hex oct bin hash id divmod pow range complex bytes input
    ascii type slice help
    """
)

# They hand out a new container with the elements of the old one.
COPIES = _words(
    """
    list tuple set frozenset dict sorted bytearray copy.copy collections.deque collections.Counter
    collections.OrderedDict pandas.DataFrame
    pandas.Series numpy.array pandas.concat
    """
)

PLAIN_COPIES = _words(
    "list tuple set frozenset dict sorted bytearray copy.copy collections.deque"
    " collections.OrderedDict"
)

# They hand out something that draws on its arguments later.
LAZY = _words(
    """
    iter map filter zip enumerate reversed functools.partial functools.partialmethod
    itertools.chain itertools.cycle itertools.islice itertools.count itertools.repeat
    itertools.accumulate itertools.tee itertools.groupby itertools.product itertools.starmap
    itertools.takewhile itertools.dropwhile itertools.compress itertools.zip_longest
    itertools.pairwise itertools.batched csv.reader csv.writer csv.DictReader csv.DictWriter
    weakref.ref weakref.proxy operator.methodcaller collections.defaultdict
    dataclasses.field collections.ChainMap attr.ib attrs.field pydantic.Field
    types.SimpleNamespace
    """
)
ITERATORS = _words("iter map filter zip enumerate reversed csv.reader csv.DictReader") | {
    name for name in LAZY if name.startswith("itertools.")
}
WRAPPERS = frozenset({"csv.writer", "csv.DictWriter", "collections.ChainMap"})
"""What changes them changes what they were made of."""

# They hand out (a view of) their first argument itself.
ALIASES = frozenset(
    {
        "property",
        "staticmethod",
        "classmethod",
        "functools.cache",
        "numpy.asarray",
        "numpy.asanyarray",
        "numpy.ravel",
        "memoryview",
        "typing.cast",
    }
)

RANDOM_SOURCES = frozenset(
    {"random.Random", "random.SystemRandom", "numpy.random.default_rng", "numpy.random.RandomState"}
    | {"numpy.random.Generator", "torch.Generator"}
)

# Methods that keep what they are given for later, and do not call it now.
_KEEPS: tuple[str, ...] = (
    "add",
    "append",
    "on_",
    "register",
    "subscribe",
    "connect",
    "insert",
    "set",
    "put",
    "push",
)
_KEEPS += ("schedule", "bind", "extend", "attach", "observe", "update", "appendleft")

WRITES_FILE = _words(
    """
    write_text write_bytes to_csv to_parquet to_json to_pickle to_excel to_feather to_hdf to_sql
    to_html save savez savez_compressed savetxt savefig write_parquet write_csv urlretrieve copyfile
    copy2 makedirs mkdir touch unlink dump tofile write_html
    """
)
READS_FILE = _words(
    """
    read_text read_bytes read_csv read_parquet read_json read_pickle read_excel read_feather
    read_hdf read_sql read_table read_html load loadtxt genfromtxt fromfile scan_csv scan_parquet
    PriceReader load_workbook connect is_file exists stat listdir glob iterdir import_module
    """
)

# An accessor on pandas objects that an import puts there although nothing reads its name.
ACCESSORS = {
    "ta": "pandas_ta",
    "swifter": "swifter",
    "hvplot": "hvplot",
    "vbt": "vectorbt",
    "progress_apply": "tqdm",
    "sk": "pandas_ml",
    "ix_": "xarray",
}

# Magics that run their text as Python in the notebook's own names.
RUNNING_LINE_MAGICS = frozenset({"time", "prun"})
RUNNING_CELL_MAGICS = frozenset({"time", "prun", "capture", "timeit_", "memit", "mprun", "lprun"})

# Line magics with an effect that a program without them would miss.
AMBIENT_MAGICS = {
    "cd": "changes the working directory",
    "pushd": "changes the working directory",
    "popd": "changes the working directory",
    "env": "sets environment variables",
    "set_env": "sets environment variables",
    "dotenv": "sets environment variables",
    "pip": "installs packages",
    "conda": "installs packages",
    "mamba": "installs packages",
    "uv": "installs packages",
    "precision": "changes how numbers are printed",
}

# Line magics that put names into the notebook.
DEFINING_MAGICS = {
    "run": "runs a file whose names land in the notebook",
    "pylab": "imports NumPy and Matplotlib under many names",
    "store": "brings names back from an earlier session",
    "load_ext": "",
    "R": "runs R code",
    "Rpull": "brings names over from R",
    "sql": "runs SQL",
}

RESET_MAGICS = frozenset({"reset"})


def changes_receiver(method: str, thrown: bool, keywords: frozenset[str] = frozenset()) -> bool:
    """Whether a call of ``method`` on something unknown changes it; ``thrown``: result unused."""
    if _INPLACE in keywords or method in _CHANGES or method.endswith("_"):
        return not method.startswith("__") or method in _CHANGES
    if method in _READS:
        return False
    return thrown or method.startswith(_CHANGES_PREFIXES)


def keeps_arguments(method: str) -> bool:
    """Whether a method by its name stores what it is given rather than calls it."""
    return method.startswith(_KEEPS)


def changes_module(qualified: str, thrown: bool) -> bool:
    """Whether a call of a module's function changes what its other functions do."""
    module, _, name = qualified.rpartition(".")
    if module in _RANDOM_MODULES and name in _RANDOM:
        return True
    return thrown and (name in _SETS_MODULE or name.startswith(("set_", "add_", "register_")))
