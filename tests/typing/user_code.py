"Code as users write it, with each documented call: for mypy to check against the installed package, and never run."
from pathlib import Path

from cachy import CachyMiss, Session, disable_cachy, doms, enable_cachy, fresh, ignore, live, no_cachy, sample, session

def f(c: Session) -> None:
    counts: dict[str, int] = dict(c.counts)
    mode: str = c.mode
    print(counts, mode, c.file, len(c.file), c)

def g() -> Session:
    return enable_cachy()

def h(folder: Path) -> int:
    with enable_cachy(folder, doms=doms + ('localhost:4000',), mode='replay', hdrs=('x-ratelimit-*',), errors=(400, 404),
            norm_pats=((r'/tmp/\w+', '/tmp/X'), (r'\d{4}-\d\d-\d\d', 'DATE')), debug=True) as c:
        f(c)
        replayed: int = c.counts['replayed']
    try: g()
    except CachyMiss as miss:
        print(f'{miss}: {miss.key.upper()}', miss.request['url'])
        if miss.closest: print(miss.closest['key'])
        for path, recorded, asked in miss.differences: print(path, recorded, asked)
    disable_cachy()
    return replayed + len(c.file)

enable_cachy()
enable_cachy('folder', mode=None)
enable_cachy(ignore=ignore + ('metadata.run_id', 'messages.*.id'))
enable_cachy(cache_dir=Path('folder'), hdrs=['x-ratelimit-*'], errors=[400], norm_pats=[('a', 'b')], doms=['localhost:4000'])
first: str = doms[0]

with live(), no_cachy(), fresh(), sample(2): pass
with enable_cachy() as c, c.sample(1), c.fresh(), c.live(): pass
now = session()
if now: f(now)
