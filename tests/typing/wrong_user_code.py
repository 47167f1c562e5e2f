"Mistakes that mypy must find; a comment says which it is."
from cachy import CachyMiss, Session, disable_cachy, doms, enable_cachy
from cachy import no_such_name # attr-defined

def f(c: Session) -> str:
    c.cuonts # attr-defined
    print(c.mode + 1) # operator
    return c.counts['replayed'] # return-value

f('session') # arg-type
enable_cachy(mode=3) # arg-type
enable_cachy(debug='yes') # arg-type
enable_cachy(modes='auto') # call-arg
disable_cachy('all') # call-arg
doms + 'localhost:4000' # operator
with enable_cachy() as c: len(c.file) + 'recordings' # operator
try: f(c)
except CachyMiss as miss:
    miss.key + 1 # operator
    miss.nearest # attr-defined
