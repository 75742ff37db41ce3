/* receiver.c -- a receiver of the Isagoge language, after SPEC.md alone
 *
 * usage: receiver [--seconds S] [--megabytes M] MESSAGE [QUESTION]      (10.1)
 *
 * Build it with a C99 compiler, nothing else is needed:
 *
 *     cc -std=c99 -O2 -o receiver receiver.c -lm
 *
 * Numbers such as 5.4 in the comments are clauses of the specification, and
 * the chapters of this file follow its chapters:
 *
 *   errors and limits    how an evaluation ends early              (4.4, 8)
 *   values               numbers, arrays and functions             (5.1)
 *   bits and tokens      naturals, tokens, parity                  (1, 2)
 *   reading              from tokens to a tree of nodes            (3, 4.2)
 *   numbers              what C's own arithmetic does not do       (6)
 *   evaluation           one small function for each kind of node  (5, 6, 7)
 *   sums                 the one loop that is made fast
 *   resolving            names become places                       (3.5, 5)
 *   statements           verdicts, questions, the call             (4, 10)
 *
 * A statement goes through three steps.  It is *read* into a tree of nodes,
 * one for each number, name and group.  The tree is *resolved*: each name is
 * replaced by the place where its value will be, and each node gets a pointer
 * to the C function that evaluates it.  Then the tree is *evaluated* by
 * calling the function of its root, which calls those of the nodes below.
 *
 * As no function can reach itself (5.4) there is no recursion in the language.
 * All repetition is in `array', `fold' and `scan', so all the time goes into
 * what is written inside these, and three things are done about that:
 *
 *   - A function written where it is used, in a loop or as the head of an
 *     application (the `let' of the notation), is not made at all: its body
 *     is evaluated where it stands, its parameters being slots of the frame
 *     around it.
 *   - A number is never put into memory to be passed on: a value is a struct
 *     of a pointer and a double, which C compilers return in registers.
 *   - A fold that adds up products of elements, the heart of every matrix
 *     product and convolution, takes its numbers by the dozen (see "sums").
 *
 * What must never change is which error comes first (5.8), and each number to
 * its last bit.  So operations are done one at a time in the order given, and
 * nothing is evaluated earlier than the specification says.
 */

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The numbers are C's doubles and must be rounded at every operation (6.2). Compilers that keep
 * more digits than that for a while are turned away here. Compilers may also contract x * y + z
 * to one operation with one rounding, within an expression if asked for C99; so no expression
 * here has both. */
#if FLT_EVAL_METHOD != 0 || FLT_RADIX != 2 || DBL_MANT_DIG != 53
#error "double arithmetic must be that of IEEE 754 binary64"
#endif

/* ---------------------------------------------------- errors and limits -- */

#define MAXOPEN 1000            /* open groups around an open token (3.6) */
#define MAXNEST 64              /* nesting of arrays (8.1) */
#define MAXDEPTH 26000          /* calls of C functions nested in an evaluation: at most 2.5 for
                                   one of the 10,000 that 8.1 counts */
#define MAXNATURAL 9007199254740992.0   /* 2^53 (2.2, 7.1) */
#define TICKS 1000000           /* steps between two looks at the clock */

enum {                          /* the verdicts that are errors (4.4) */
    OK, NUMBER, FORM, NAME, DEPTH, CUT, PARITY,   /* reading stops (4.5) */
    KIND, RANGE, MISSING, OVER                    /* reading goes on */
};
static const char *const verdict[] = {
    "", "number", "form", "name", "depth", "cut", "parity", "kind", "range", "missing", "over-limit"
};

static jmp_buf trap;            /* where an error leads to, ... */
static int error;               /* ... and which it is */
static double seconds = 3600;   /* budget of time (10.1) */
static time_t started;          /* when it began to run */
static int time_is_up;          /* it is used up (8.1) */
static long ticks = TICKS;      /* steps left until the next look */
static size_t memory;           /* budget of memory, in bytes (10.1) */
static size_t memory_used;      /* so much of it is taken */

/* fail(e) ends the reading or the evaluation of a statement with the error e. Nothing has to be
 * cleaned up on the way: what a statement has allocated can be found without it (see "values",
 * "the stack" and struct chunk). */
static void fail(int e) {
    error = e;
    longjmp(trap, 1);
}

/* look_at_clock() fails when the time is up (8.1).  C99 knows elapsed time only to the second, so
 * time() may be up to a second late, but never early; processor time is known better, and one
 * thread has no more of it than time has elapsed. */
static void look_at_clock(void) {
    ticks = TICKS;
    if ((double)clock() / CLOCKS_PER_SEC > seconds ||
            difftime(time(NULL), started) - 1 >= seconds) {
        time_is_up = 1;
        fail(OVER);
    }
}

/* TICK(n) counts n steps of work, each of some nanoseconds. */
#define TICK(n) do { if ((ticks -= (long)(n)) < 0) look_at_clock(); } while (0)

/* take(old, was, size) is realloc() within the budget of memory (8.1): the block old of `was'
 * bytes, or NULL of none, becomes one of size bytes.  If that cannot be, it fails and old stays
 * as it was. */
static void *take(void *old, size_t was, size_t size) {
    void *p;
    if (size > was && size - was > memory - memory_used) fail(OVER);
    p = realloc(old, size);
    if (p == NULL) fail(OVER);
    memory_used += size - was;
    return p;
}

/* give(p, size) frees a block of size bytes that take() gave. */
static void give(void *p, size_t size) {
    memory_used -= size;
    free(p);
}

/* An arena: memory that is asked for in small pieces and freed all at once. The nodes of a
 * statement are in one. */
typedef struct chunk {
    struct chunk *next;
    size_t used, size;          /* bytes, this struct included */
} *Arena;

/* arena_get(a, size) gives size bytes, aligned for anything used here, all 0. */
static void *arena_get(Arena *a, size_t size) {
    struct chunk *c = *a;
    size_t more = c == NULL ? 1024 : c->size < 500000 ? 2 * c->size : c->size;
    char *p;
    size = (size + 15) & ~(size_t)15;
    if (c == NULL || c->size - c->used < size) {
        if (more < size + 32) more = size + 32;
        c = take(NULL, 0, more);
        c->next = *a;
        c->used = 32;
        c->size = more;
        *a = c;
    }
    p = (char *)c + c->used;
    c->used += size;
    return memset(p, 0, size);
}

/* arena_free(a) frees all that the arena has given, and leaves it empty. */
static void arena_free(Arena *a) {
    struct chunk *c;
    while ((c = *a) != NULL) {
        *a = c->next;
        give(c, c->size);
    }
}

/* --------------------------------------------------------------- values -- */

typedef struct obj Obj;
typedef struct node Node;
typedef struct code Code;

/* A value (5.1): the number d if o is NULL, else the array or function o. */
typedef struct {
    Obj *o;
    double d;
} Value;

/* The kinds of objects.  Arrays: NUMS hold doubles; VALS hold values, numbers and arrays; BITS
 * hold nothing but point to bits of the message (5.7).  An empty array is NUMS or BITS.
 * Functions: a CLOSURE is its code and holds the values that this needs from around it (5.2); a
 * PARTIAL holds a closure and the arguments that it has got so far (5.3). */
enum { NUMS, VALS, BITS, CLOSURE, PARTIAL };

/* An object; what it holds follows it.  It is freed when there is no reference to it any more. */
struct obj {
    Obj *next, *prev;           /* ring of all objects of a statement */
    size_t refs;                /* references to this one */
    size_t n;                   /* number of elements or values held */
    size_t bytes;               /* size of all this */
    union {
        const Code *code;               /* CLOSURE */
        const unsigned char *bits;      /* BITS: where the first one is */
        Obj *dead;                      /* used by release() */
    } u;
    unsigned char kind;
    unsigned char nest;         /* arrays: 1, or 1 more than an element's */
    unsigned char shift;        /* BITS: the place of the first in its byte */
};
#define D(o) ((double *)((o) + 1))
#define V(o) ((Value *)((o) + 1))
#define IS_FUNC(v) ((v).o != NULL && (v).o->kind >= CLOSURE)

/* The objects of the present statement are in one ring, those of earlier definitions in another.
 * No name ever goes out of use, so the latter are there for good; and after an error all the
 * former are freed, whoever refers to them. */
static Obj young = { &young, &young, 0, 0, 0, { NULL }, 0, 0, 0 };
static Obj old = { &old, &old, 0, 0, 0, { NULL }, 0, 0, 0 };

static Value number(double d) {
    Value v;
    v.o = NULL;
    v.d = d;
    return v;
}

static Value object(Obj *o) {
    Value v;
    v.o = o;
    v.d = 0;
    return v;
}

/* new_obj(kind, n, size) gives an object with room for n elements of size bytes each, but none
 * yet, and with one reference to it. */
static Obj *new_obj(int kind, size_t n, size_t size) {
    size_t bytes; Obj *o;
    if (n > memory / size) fail(OVER);
    bytes = sizeof(Obj) + n * size;
    o = take(NULL, 0, bytes);
    memset(o, 0, sizeof(Obj));
    o->kind = (unsigned char)kind;
    o->nest = 1;
    o->refs = 1;
    o->bytes = bytes;
    o->next = young.next;
    o->prev = &young;
    o->next->prev = o->prev->next = o;
    return o;
}

static inline void retain(Obj *o) {
    if (o != NULL) o->refs++;
}

/* destroy(o) frees an object without references and all that only it refers to.  These may form a
 * chain of any length, so it does not call itself. */
static void destroy(Obj *o) {
    Obj *dead, *e; size_t i;
    o->u.dead = NULL;
    for (dead = o; (o = dead) != NULL; ) {
        dead = o->u.dead;
        o->next->prev = o->prev;
        o->prev->next = o->next;
        if (o->kind != NUMS && o->kind != BITS)
            for (i = 0; i < o->n; i++) {
                e = V(o)[i].o;
                if (e != NULL && --e->refs == 0) {
                    e->u.dead = dead;
                    dead = e;
                }
            }
        give(o, o->bytes);
    }
}

static inline void release(Obj *o) {
    if (o != NULL && --o->refs == 0) destroy(o);
}

/* end_objects(keep) ends a statement: its objects are kept for good, or freed. */
static void end_objects(int keep) {
    Obj *o;
    if (keep && young.next != &young) {
        young.prev->next = old.next;
        old.next->prev = young.prev;
        old.next = young.next;
        old.next->prev = &old;
        young.next = young.prev = &young;
    }
    while ((o = young.next) != &young) {
        young.next = o->next;
        give(o, o->bytes);
    }
    young.prev = &young;
}

/* element(o, i) is element i, which is there, of an array.  It is borrowed: the reference stays
 * the array's. */
static inline Value element(const Obj *o, size_t i) {
    if (o->kind == NUMS) return number(D(o)[i]);
    if (o->kind == VALS) return V(o)[i];
    i += o->shift;
    return number(o->u.bits[i >> 3] >> (7 - (i & 7)) & 1);
}

/* An array that is being made: it has o->n elements and room for some. */
typedef struct {
    Obj *o;
    size_t n, room;             /* n elements in the end */
} Maker;

/* start(m, n) begins an array of n elements, but does not ask for memory for many of them before
 * they are there (8.2). */
static void start(Maker *m, double n) {
    m->n = n < (double)(SIZE_MAX / 64) ? (size_t)n : SIZE_MAX / 64;
    m->room = m->n < 1024 ? m->n : 1024;
    m->o = new_obj(NUMS, m->room, sizeof(double));
}

/* put(m, v) adds an element, whose reference becomes the array's.  A function cannot be one (5.4,
 * 5.7, 7.2). */
static void put(Maker *m, Value v) {
    Obj *o = m->o, *p;
    size_t i, size = o->kind == NUMS ? sizeof(double) : sizeof(Value);
    if (v.o != NULL) {
        if (IS_FUNC(v)) fail(KIND);
        if (v.o->nest == MAXNEST) fail(OVER);                                   /* 8.1 */
        if (o->kind == NUMS) {
            p = new_obj(VALS, m->room, sizeof(Value));
            p->nest = o->nest;
            for (i = 0; i < o->n; i++) V(p)[i] = number(D(o)[i]);
            p->n = o->n;
            release(o);
            m->o = o = p;
            size = sizeof(Value);
        }
        if (o->nest <= v.o->nest) o->nest = (unsigned char)(v.o->nest + 1);
    }
    if (o->n == m->room) {
        m->room = m->n - m->room > m->room ? 2 * m->room : m->n;
        if (m->room > memory / size) fail(OVER);
        m->o = o = take(o, o->bytes, sizeof(Obj) + m->room * size);
        o->bytes = sizeof(Obj) + m->room * size;
        o->next->prev = o->prev->next = o;      /* it may have moved */
    }
    if (o->kind == NUMS) D(o)[o->n++] = v.d;
    else V(o)[o->n++] = v;
}

/* ------------------------------------------------------ bits and tokens -- */

/* A file of bits that is being read (1.1). */
typedef struct {
    unsigned char *data;
    size_t bytes;               /* size of data */
    size_t bits, at;            /* number of bits, and how many are read */
} Source;

static Source *src;             /* what is being read */

/* bit() reads a bit. */
static int bit(void) {
    int b;
    if (src->at == src->bits) fail(CUT);                                        /* 3.6 */
    b = src->data[src->at >> 3] >> (7 - (src->at & 7)) & 1;
    src->at++;
    return b;
}

/* natural() reads a natural (2.1) and fails at the first bit that cannot be one's (2.2).  Doubles
 * have room for it. */
static double natural(void) {
    int k = 0, i; uint64_t n = 0;
    while (bit())
        if (++k == 55) fail(NUMBER);
    for (i = 0; i < k; i++) {
        n = 2 * n + (uint64_t)bit();
        if (n == 0) fail(NUMBER);
    }
    if (n > (uint64_t)1 << 53) fail(NUMBER);
    return (double)n;
}

enum { OPEN, CLOSE, NUMERAL, WORD };    /* the kinds of tokens (1.3) */

/* token(n) reads a token, gives its kind, and sets *n to its natural. */
static int token(double *n) {
    int kind;
    TICK(1);
    kind = 2 * bit();
    kind += bit();
    if (kind >= NUMERAL) *n = natural();
    return kind;
}

/* odd(from, to) is 1 if the ones among these bits are odd in number (4.2). */
static int odd(size_t from, size_t to) {
    unsigned x = 0;
    while (from < to)
        if ((from & 7) == 0 && to - from >= 8) {
            x ^= src->data[from >> 3];          /* eight sums at once */
            from += 8;
        } else {
            x ^= (unsigned)src->data[from >> 3] >> (7 - (from & 7)) & 1;
            from++;
        }
    x ^= x >> 4;
    x ^= x >> 2;
    return (int)((x ^ x >> 1) & 1);
}

/* at_end() says whether the message ends here, where a statement could begin: at most seven bits
 * are left, all 0 (4.3). */
static int at_end(void) {
    size_t i;
    if (src->bits - src->at > 7) return 0;
    for (i = src->at; i < src->bits; i++)
        if (src->data[i >> 3] >> (7 - (i & 7)) & 1) return 0;
    return 1;
}

/* -------------------------------------------------------------- reading -- */

enum {                          /* the first names (3.1, 3.2) */
    F_DEFINE, P_EQUAL, P_LESS, P_ADD, P_SUB, P_MUL, P_DIV, F_IF, F_FN,
    P_FLOOR, P_POW2, P_EXPONENT, P_ROUND, P_ARRAY, P_LENGTH, F_AT, F_LIST,
    P_FOLD, P_SCAN, F_BITS, FIRST_NEW
};
static const unsigned char arity_of[FIRST_NEW] = {      /* 0: a form */
    0, 2, 2, 2, 2, 2, 2, 0, 0, 1, 1, 1, 2, 2, 1, 0, 0, 3, 3, 0
};
#define IS_FORM(name) ((name) < FIRST_NEW && arity_of[(int)(name)] == 0)

/* The kinds of nodes: as they are read, then as they are resolved. */
enum { N_NAME, N_APPLY, N_IF, N_FN, N_AT, N_LIST, N_BITS,
       R_CONSTANT, R_LOCAL, R_CAPTURED, R_KEPT, R_OTHER };

/* A node. */
struct node {
    Value (*eval)(Node *, Value *);     /* evaluates it, see "evaluation" */
    Value v;                    /* R_CONSTANT: the value */
    size_t name;                /* N_NAME; N_FN: the first parameter */
    size_t arity;               /* N_FN: how many; N_BITS: how many bits */
    const unsigned char *bits;  /* N_BITS: the byte of the first */
    size_t slot;                /* a place in a frame, or the first of some;
                                   N_BITS: the place in the byte */
    long height, cost;          /* of the nodes from here on, see measure() */
    const Code *code;           /* closures */
    Node *more;                 /* loops: see loop() */
    Node *kept;                 /* loops: the first of their R_KEPT nodes;
                                   R_KEPT: the next */
    unsigned char kind;
    unsigned char may;          /* applications: may have functions (5.4) */
    unsigned char varies;       /* in sums: not the same in each turn */
    size_t n;                   /* number of items */
    Node *item[];
};

static Arena nodes;             /* the nodes of the statement */
static Node **items;            /* stack: items of groups not yet closed */
static size_t nitems, room_items;
static int checking;            /* no memory: read without making nodes */
static int opened;              /* number of open groups */
static size_t defined = FIRST_NEW;      /* the name of the next definition */
static size_t next_name;        /* the next new name (3.5) */
static size_t first_local;      /* the least that can be a parameter's */
static size_t last_local;       /* above the greatest parameter's */

/* A statement that has been read. */
typedef struct {
    Node *term;                 /* NULL if there was no memory for it */
    Arena nodes;
    size_t first_local, last_local;
} Statement;

/* new_node(kind, n) gives a node with n items still to be set. */
static Node *new_node(int kind, size_t n) {
    Node *t = arena_get(&nodes, sizeof(Node) + n * sizeof(Node *));
    t->kind = (unsigned char)kind;
    t->n = n;
    return t;
}

/* push(t) puts a node on the stack of items. */
static void push(Node *t) {
    size_t more = room_items == 0 ? 256 : 2 * room_items;
    if (checking) return;
    if (nitems == room_items) {
        items = take(items, room_items * sizeof(Node *), more * sizeof(Node *));
        room_items = more;
    }
    items[nitems++] = t;
}

/* made(kind, mark) gives a node whose items are those on the stack from mark on, and takes them
 * off. */
static Node *made(int kind, size_t mark) {
    static Node nothing; Node *t;
    if (checking) return &nothing;
    t = new_node(kind, nitems - mark);
    if (t->n > 0) memcpy(t->item, items + mark, t->n * sizeof(Node *));
    nitems = mark;
    return t;
}

static Node *group(int whole);

/* term(kind, n) reads on from this token, which must begin a term (3.1), to the end of the term. */
static Node *term(int kind, double n) {
    Node *t;
    if (kind == OPEN) return group(0);
    if (kind == CLOSE || (kind == WORD && IS_FORM(n))) fail(FORM);              /* 3.6 */
    if (kind == WORD && (n >= (double)next_name ||              /* 3.5 */
            (n >= (double)defined && n < (double)first_local)))
        fail(NAME);
    t = made(kind == WORD ? N_NAME : R_CONSTANT, nitems);
    t->name = kind == WORD ? (size_t)n : 0;
    t->v = number(n);
    return t;
}

/* terms(min) reads terms up to the close that ends the group, which may come after min of them at
 * the earliest. */
static void terms(size_t min) {
    double n = 0; int kind;
    while ((kind = token(&n)) != CLOSE || min > 0) {
        push(term(kind, n));
        min -= min > 0;
    }
    opened--;
}

/* one_term() reads a term; the_close() a close, nothing else being allowed. */
static void one_term(void) {
    double n = 0;
    int kind = token(&n);
    push(term(kind, n));
}

static void the_close(void) {
    double n;
    if (token(&n) != CLOSE) fail(FORM);
    opened--;
}

/* new_name() reads a name that must be new, the next one (3.5). */
static void new_name(void) {
    double n = 0;
    if (token(&n) != WORD) fail(FORM);
    if (n != (double)next_name) fail(NAME);
    next_name++;
}

/* group(whole) reads a group whose open token has been read.  If it is a whole statement it may
 * be a definition (4.1); then its term is given, and first_local is set above the name, which is
 * not in scope in it (3.5). */
static Node *group(int whole) {
    Node *t; double n = 0; size_t mark = nitems, first = next_name, at; int kind;
    if (opened == MAXOPEN) fail(DEPTH);                                         /* 3.6 */
    opened++;
    kind = token(&n);
    if (kind != WORD || !IS_FORM(n)) {
        push(term(kind, n));                                    /* 3.3 */
        terms(1);
        return made(N_APPLY, mark);
    }
    switch ((int)n) {                                           /* 3.2 */
    case F_DEFINE:
        if (!whole) fail(FORM);
        new_name();
        first_local = next_name;
        one_term();
        the_close();
        return checking ? NULL : items[--nitems];
    case F_IF:
        one_term();
        one_term();
        one_term();
        the_close();
        return made(N_IF, mark);
    case F_FN:
        new_name();
        while ((kind = token(&n)) == WORD && n == (double)next_name) next_name++; /* 3.5 */
        if (next_name > last_local) last_local = next_name;
        push(term(kind, n));
        the_close();
        t = made(N_FN, mark);
        t->name = first;
        t->arity = next_name - first;
        next_name = first;              /* out of scope again */
        return t;
    case F_AT:
        one_term();
        t = checking ? NULL : items[nitems - 1];
        if (t != NULL && t->kind == N_AT && t->n <= 8) {
            nitems--;                   /* (at (at a i) j) is (at a i j), 5.6 */
            for (at = 0; at < t->n; at++) push(t->item[at]);
        }
        terms(1);
        return made(N_AT, mark);
    case F_LIST:
        terms(0);
        return made(N_LIST, mark);
    default:                                                    /* 3.4 */
        if (token(&n) != NUMERAL) fail(FORM);
        if (n > (double)(src->bits - src->at)) fail(CUT);                       /* 3.6, 8.2 */
        at = src->at;
        src->at += (size_t)n;
        the_close();
        t = made(N_BITS, mark);
        t->bits = src->data + (at >> 3);
        t->slot = at & 7;
        t->arity = (size_t)n;
        return t;
    }
}

/* statement(is_def) reads a statement (1.2) and gives its term; *is_def says if it is a
 * definition (4.1). */
static Node *statement(int *is_def) {
    Node *t; size_t begin = src->at; double n = 0; int kind;
    nitems = 0;
    opened = 0;
    next_name = first_local = last_local = defined;
    kind = token(&n);
    t = kind == OPEN ? group(1) : term(kind, n);
    bit();
    if (odd(begin, src->at)) fail(PARITY);                                      /* 4.2 */
    *is_def = first_local > defined;
    return t;
}

/* read_statement(s, is_def) is statement(), but gives the error, or OK, as its value.  If there
 * is no memory for the nodes, the statement is read once more without making them, for the errors
 * in it must be found and the next one begins where it ends (8.1); then s->term is NULL. */
static int read_statement(Statement *s, int *is_def) {
    size_t begin = src->at; Node *t;
    checking = 0;
    if (setjmp(trap) != 0) {
        arena_free(&nodes);
        if (error != OVER || time_is_up || checking) return error;
        checking = 1;
        src->at = begin;
    }
    t = statement(is_def);
    s->term = checking ? NULL : t;
    s->nodes = nodes;
    nodes = NULL;
    s->first_local = first_local;
    s->last_local = last_local;
    return OK;
}

/* -------------------------------------------------------------- numbers -- */

/* C's doubles are the numbers (6.1) and its + - * / < == do what 6.2, 6.3 and 6.4 say.  The other
 * operations follow. */

static double from_bits(uint64_t u) {
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static uint64_t to_bits(double x) {
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

/* floor_of(x) is floor(x) of 6.5, without a call for what fits in an integer. */
static inline double floor_of(double x) {
    double t;
    if (!(x > -4503599627370496.0 && x < 4503599627370496.0) || x == 0)
        return x;               /* from 2^52 on all are integers */
    t = (double)(int64_t)x;
    return t > x ? t - 1 : t;
}

/* pow2_of(x) is pow2(x) of 6.6.  A normal number 2^n has the bits of n + 1023 for its exponent
 * and zeros for its fraction. */
static double pow2_of(double x) {
    if (x >= -1022 && x < 1024) return from_bits((uint64_t)((int)floor_of(x) + 1023) << 52);
    if (x != x) return x;
    return x > 0 ? HUGE_VAL : x < -1074 ? 0 : ldexp(1, (int)floor_of(x));
}

/* exponent_of(x) is exponent(x) of 6.7. */
static double exponent_of(double x) {
    int e = (int)(to_bits(x) >> 52 & 2047);
    if (e > 0 && e < 2047) return e - 1023;
    if (x == 0) return -HUGE_VAL;
    if (e == 2047) return x != x ? x : HUGE_VAL;
    frexp(x, &e);
    return e - 1;
}

/* round_to(p, x) is round(p, x) of 6.8.  Of the 53 digits of a normal number 53 - p are dropped;
 * the bits are rounded as one integer, where a carry out of the fraction rightly adds 1 to the
 * exponent.  The last digit kept, whose parity decides between two equally near, is the one
 * before the fraction, always 1, if p is 1. */
static double round_to(double p, double x) {
    int e, drop;
    uint64_t u = to_bits(x);
    if (!(p >= 1) || p != floor_of(p)) fail(RANGE);
    e = (int)(u >> 52 & 2047);
    if (p >= 53 || x == 0 || e == 2047) return x;
    if (e > 0) {
        drop = 53 - (int)p;
        u += ((uint64_t)1 << (drop - 1)) - 1 + (drop == 52 || u >> drop & 1);
        return from_bits(u >> drop << drop);
    }
    x = frexp(x, &e);
    return ldexp(nearbyint(ldexp(x, (int)p)), e - (int)p);
}

/* equal(a, b) is `=' of numbers and arrays (3.1, 6.4). */
static int equal(Value a, Value b) {
    size_t i;
    if (a.o == NULL || b.o == NULL) return a.o == b.o && a.d == b.d;
    if (a.o->n != b.o->n) return 0;
    for (i = 0; i < a.o->n; i++) {
        TICK(1);
        if (!equal(element(a.o, i), element(b.o, i))) return 0;
    }
    return 1;
}

/* ----------------------------------------------------------- evaluation -- */

/* A function ready for use. */
struct code {
    Node *body;
    size_t arity;
    size_t slots;               /* size of its frame */
    size_t top;                 /* while it is resolved: slots in use, ... */
    Code *up;                   /* ... the function around it, ... */
    struct capture *captures;   /* ... and what it takes from there */
    size_t ncaptures;
};

/* While code runs it has a frame, fr: in fr[0] the closure that is applied, in fr[1] and so on
 * the arguments, then slots for parameters of functions whose bodies are evaluated in place.
 * Every node has a C function eval(n, fr) that gives the value of node n.  The caller gets a
 * reference to it. */
#define EVAL(n) ((n)->eval((n), fr))

/* The stack, where the frames are.  It comes in segments, as it grows without moving; a new one
 * begins when the last is full. */
typedef struct segment {
    struct segment *below;
    Value *top_below;           /* the top when this one was begun */
    Value *end;
    Value v[];
} Segment;

static Segment *segment;        /* the last one */
static Value *top;              /* what is free in it */
static long depth;              /* nodes being evaluated, at most (8.1) */

/* enter(n) gives n values on the stack, not initialized. */
static inline Value *enter(size_t n) {
    size_t room = n > 4000 ? n : 4000; Segment *s;
    if (segment == NULL || (size_t)(segment->end - top) < n) {
        if (room > memory / sizeof(Value)) fail(OVER);
        s = take(NULL, 0, sizeof(Segment) + room * sizeof(Value));
        s->below = segment;
        s->top_below = top;
        s->end = s->v + room;
        segment = s;
        top = s->v;
    }
    top += n;
    return top - n;
}

/* leave(p) takes all from p on, which enter() gave, off the stack. */
static inline void leave(Value *p) {
    Segment *s = segment;
    top = p;
    if (p == s->v) {
        segment = s->below;
        top = s->top_below;
        give(s, sizeof(Segment) + (size_t)(s->end - s->v) * sizeof(Value));
    }
}

/* peek(n, own) is EVAL(n) for a caller that only looks at the value; the reference in *own, to be
 * released in the end, is often NULL then. operand(n) is the same where all but a number is an
 * error, after which nothing has to be released. */
static inline Value peek(Node *n, Value *fr, Obj **own) {
    Value v;
    *own = NULL;
    if (n->kind == R_LOCAL) return fr[n->slot];
    if (n->kind == R_CONSTANT) return n->v;
    if (n->kind == R_KEPT && fr[n->slot].o != NULL) return fr[n->slot];
    v = EVAL(n);
    *own = v.o;
    return v;
}

static inline Value operand(Node *n, Value *fr) {
    return n->kind == R_LOCAL ? fr[n->slot] : n->kind == R_CONSTANT ? n->v : EVAL(n);
}

/* First what a name may be (5.2): the value of a definition, or a number token's; a definition
 * that failed; a parameter of this function; one of a function around it, kept in the closure. */

static Value constant_(Node *n, Value *fr) {
    (void)fr;
    retain(n->v.o);
    return n->v;
}

static Value missing_(Node *n, Value *fr) {                             /* 4.5 */
    (void)n;
    (void)fr;
    fail(MISSING);
    return number(0);
}

static Value local_(Node *n, Value *fr) {
    retain(fr[n->slot].o);
    return fr[n->slot];
}

static Value captured_(Node *n, Value *fr) {
    Value v = V(fr[0].o)[n->slot];
    retain(v.o);
    return v;
}

/* closure_ is `fn' as a value: its items are what it keeps (5.2). */
static Value closure_(Node *n, Value *fr) {
    Obj *o = new_obj(CLOSURE, n->n, sizeof(Value));
    o->u.code = n->code;
    for (; o->n < n->n; o->n++) V(o)[o->n] = EVAL(n->item[o->n]);
    return object(o);
}

/* left(f) is the number of arguments that a function takes before it gives its value; in a
 * partial one this is noted beside the closure. */
static size_t left(const Obj *f) {
    return f->kind == CLOSURE ? f->u.code->arity : (size_t)V(f)[0].d;
}

/* run(f, fr) evaluates the body of the closure f with its arguments in the frame fr, and releases
 * these. */
static Value run(Obj *f, Value *fr) {
    const Code *c = f->u.code; Node *body = c->body;
    long height = body->height + 3;     /* 3 for the calls to get here */ Value v;
    size_t i;
    TICK(body->cost + 4);
    if ((depth += height) > MAXDEPTH) fail(OVER);                               /* 8.1 */
    fr[0] = object(f);
    v = EVAL(body);
    for (i = 1; i <= c->arity; i++) release(fr[i].o);
    depth -= height;
    return v;
}

/* apply(f, arg, k) is a value applied to k arguments, 1 or more, whose references it takes over
 * (5.3). */
static Value apply(Obj *f, const Value *arg, size_t k) {
    Obj *own = NULL, *closure, *g; size_t i, had, want; Value *to, v;
    for (;;) {
        if (f == NULL || f->kind < CLOSURE) fail(KIND);
        want = left(f);
        had = f->kind == PARTIAL ? f->n : 1;
        closure = f->kind == PARTIAL ? V(f)[0].o : f;
        TICK(had);
        if (k < want) {                         /* it waits for the rest */
            g = new_obj(PARTIAL, had + k, sizeof(Value));
            to = V(g);
            retain(closure);
            to[0] = object(closure);
            to[0].d = (double)(want - k);
            g->n = had + k;
        } else
            to = enter(closure->u.code->slots);
        for (i = 1; i < had; i++) {
            to[i] = V(f)[i];
            retain(to[i].o);
        }
        for (i = 0; i < k && i < want; i++) to[had + i] = arg[i];
        if (k < want) {
            release(own);
            return object(g);
        }
        v = run(closure, to);
        leave(to);
        release(own);
        if (k == want) return v;
        arg += want;                            /* its value gets the rest */
        k -= want;
        f = own = v.o;
    }
}

/* apply_ is an application of which nothing is known beforehand.  Functions are arguments only if
 * the form of the head allows it (5.4), and then only of those that the head's value takes.  In
 * the common case, a closure and as many arguments as it takes, these are evaluated straight into
 * its frame. */
static Value apply_(Node *n, Value *fr) {
    Obj *own;
    Value f = peek(n->item[0], fr, &own), v, *to;
    size_t i, k = n->n - 1, want = IS_FUNC(f) ? left(f.o) : 0;
    int exact = want == k && f.o->kind == CLOSURE;
    to = enter(exact ? f.o->u.code->slots : k + 1);
    for (i = 1; i <= k; i++) {
        to[i] = EVAL(n->item[i]);
        if (to[i].o != NULL && (!n->may || i > want) && IS_FUNC(to[i])) fail(KIND);
    }
    v = exact ? run(f.o, to) : apply(f.o, to + 1, k);
    leave(to);
    release(own);
    return v;
}

/* let_ is the application of a function written in its head to as many arguments as it takes:
 * these are items 1 and on, item 0 is its body. */
static Value let_(Node *n, Value *fr) {
    Value *slot = fr + n->slot - 1, v; size_t i;
    for (i = 1; i < n->n; i++) slot[i] = EVAL(n->item[i]);
    v = EVAL(n->item[0]);
    for (i = 1; i < n->n; i++) release(slot[i].o);
    return v;
}

static Value if_(Node *n, Value *fr) {                                  /* 5.5 */
    Value test = operand(n->item[0], fr);
    if (test.o != NULL) fail(KIND);
    if (test.d != 1 && test.d != 0) fail(RANGE);
    n = n->item[test.d == 1 ? 1 : 2];
    return EVAL(n);
}

/* at_ looks at elements of elements without a reference to any of them, as the first array holds
 * them all meanwhile (5.6). */
static Value at_(Node *n, Value *fr) {
    Obj *own;
    Value v = peek(n->item[0], fr, &own), x;
    size_t i; int64_t k;
    for (i = 1; i < n->n; i++) {
        x = operand(n->item[i], fr);
        if (v.o == NULL || IS_FUNC(v) || x.o != NULL) fail(KIND);
        k = x.d >= 0 && x.d < MAXNATURAL ? (int64_t)x.d : -1;
        if ((uint64_t)k >= v.o->n || (double)k != x.d) fail(RANGE);
        v = element(v.o, (size_t)k);
    }
    retain(v.o);
    release(own);
    return v;
}

static Value list_(Node *n, Value *fr) {                                /* 5.7 */
    Maker m;
    size_t i;
    start(&m, (double)n->n);
    for (i = 0; i < n->n; i++) put(&m, EVAL(n->item[i]));
    return object(m.o);
}

/* The operations on numbers: both operands are evaluated before the kind of either is looked at
 * (5.3), and kinds before ranges (6.9). */
#define UNARY(name, value) static Value name(Node *n, Value *fr) { \
    Value x = operand(n->item[0], fr); \
    if (x.o != NULL) fail(KIND); \
    return number(value); }
#define BINARY(name, value) static Value name(Node *n, Value *fr) { \
    Value x = operand(n->item[0], fr), y = operand(n->item[1], fr); \
    if (x.o != NULL || y.o != NULL) fail(KIND); \
    return number(value); }

BINARY(less_, x.d < y.d)
BINARY(add_, x.d + y.d)
BINARY(sub_, x.d - y.d)
BINARY(mul_, x.d * y.d)
BINARY(div_, x.d / y.d)
BINARY(round_, round_to(x.d, y.d))
UNARY(floor_, floor_of(x.d))
UNARY(pow2_, pow2_of(x.d))
UNARY(exponent_, exponent_of(x.d))

static Value equal_(Node *n, Value *fr) {                               /* 6.4 */
    Obj *own_a, *own_b;
    Value a = peek(n->item[0], fr, &own_a), b = peek(n->item[1], fr, &own_b);
    int is;
    if (IS_FUNC(a) || IS_FUNC(b)) fail(KIND);
    is = equal(a, b);
    release(own_a);
    release(own_b);
    return number(is);
}

static Value length_(Node *n, Value *fr) {                              /* 7.4 */
    Obj *own;
    Value v = peek(n->item[0], fr, &own);
    double d;
    if (v.o == NULL || IS_FUNC(v)) fail(KIND);
    d = (double)v.o->n;
    release(own);
    return number(d);
}

/* kept_ is an array in a loop that does not change there (see keep()), which is evaluated at its
 * first use and then kept in a slot. */
static Value kept_(Node *n, Value *fr) {
    Value *slot = fr + n->slot;
    if (slot->o == NULL) *slot = EVAL(n->item[0]);
    retain(slot->o);
    return *slot;
}

/* forget(n, begin) empties the slots where the loop n keeps arrays, at its begin and its end. */
static inline void forget(const Node *n, Value *fr, int begin) {
    const Node *k;
    for (k = n->kept; k != NULL; k = k->kept) {
        if (!begin) release(fr[k->slot].o);
        fr[k->slot].o = NULL;
    }
}

/* Loops.  In a loop node item 0 is the number of turns, item 1 the start, if it has one, and the
 * last item the value of the function in each turn.  If the function is written in place that is
 * its body; else `more' gives the function, and the last item is an application of it, to be
 * found in slot[2].  The state is in slot[0], i in slot[1]. */

/* turns(n, s, f) checks the operands of a loop (7.1) and gives the number of turns; s is the
 * start, f the function, or any array or number if there is none to check; is_fn says whether f
 * is there. */
static inline double turns(Value n, Value s, Value f, int is_fn) {
    if (n.o != NULL || IS_FUNC(s) || (is_fn && !IS_FUNC(f))) fail(KIND);
    if (!(n.d >= 0 && n.d <= MAXNATURAL) || n.d != floor_of(n.d)) fail(RANGE);
    return n.d;
}

static Value array_(Node *n, Value *fr) {                               /* 7.2 */
    Value *slot = fr + n->slot, count = operand(n->item[0], fr), f = number(0);
    double i, end;
    Maker m;
    if (n->more != NULL) f = EVAL(n->more);
    end = turns(count, number(0), f, n->more != NULL);
    slot[2] = f;
    forget(n, fr, 1);
    start(&m, end);
    for (i = 0; i < end; i++) {
        TICK(n->item[1]->cost);
        slot[1] = number(i);
        put(&m, EVAL(n->item[1]));
    }
    forget(n, fr, 0);
    release(f.o);
    return object(m.o);
}

static double sum(Node *n, Value *fr, double i, double end);

/* fold_or_scan is `fold' and also `scan', which keeps the states (7.2, 7.3); or a sum, which is a
 * fold of the form that the next chapter is about. */
static inline Value fold_or_scan(Node *n, Value *fr, int scan, int is_sum) {
    Value *slot = fr + n->slot, count = operand(n->item[0], fr);
    Value s = EVAL(n->item[1]), f = number(0);
    double i, end; Maker m;
    if (n->more != NULL && !is_sum) f = EVAL(n->more);
    end = turns(count, s, f, n->more != NULL && !is_sum);
    slot[0] = s;
    slot[2] = f;
    forget(n, fr, 1);
    if (scan) start(&m, end);
    for (i = 0; i < end; i++) {
        TICK(n->item[2]->cost);
        slot[1] = number(i);
        s = EVAL(n->item[2]);
        release(slot[0].o);
        slot[0] = s;
        if (IS_FUNC(s)) fail(KIND);
        if (scan) {
            retain(s.o);
            put(&m, s);
        } else if (is_sum && i == 0 && end >= 6)
            i = sum(n, fr, 1, end) - 1;
    }
    forget(n, fr, 0);
    release(f.o);
    if (!scan) return slot[0];
    release(slot[0].o);
    return object(m.o);
}

static Value fold_(Node *n, Value *fr) { return fold_or_scan(n, fr, 0, 0); }
static Value scan_(Node *n, Value *fr) { return fold_or_scan(n, fr, 1, 0); }
static Value sum_(Node *n, Value *fr) { return fold_or_scan(n, fr, 0, 1); }

/* ----------------------------------------------------------------- sums -- */

/* A sum is a fold, its function written in place, of the form
 *
 *     s := s * m + x * y
 *
 * with s the state.  m is the same in all turns; it is 1 in most sums (matrix products), 2 where
 * bits are made into numbers (s + s + b[i]), and the argument where a polynomial is evaluated.  x
 * and y are either the same in all turns, or elements whose indices go up or down evenly.  (If
 * only x is there, y is 1: as m = 1 and s + s = s * 2, this changes no bit.)
 *
 * The first turn of a sum is left to the nodes.  If that ends without an error no evaluation of
 * m, or of an index that is always the same, can give one later.  So from then on m is known, x
 * and y are fetched a number of turns ahead, and the sum is formed from them by C alone, each
 * product and each sum rounded as ever.  Where something cannot be fetched, mostly because an
 * index is out of range, the nodes take over again and find the error.
 *
 * For such a fold find_sum() gives a node with the items m, x and y. */

#define WALK 4                  /* most indices of an element in a sum */
#define AHEAD 64                /* turns fetched at once */

/* In turn i a walk is at the number d, if n is 0, else at the element of o with the n indices
 * a[0] * i + b[0], ... */
typedef struct {
    const Obj *o;
    double d;
    int n;
    int64_t a[WALK], b[WALK];
} Walk;

/* linear(n, i, a, b) finds *a and *b so that in turn i the node n has the value a * i + b; i is
 * the slot of i.  Gives 0 if there are none or if they are so large that doubles could not do the
 * same without rounding. */
static int linear(Node *n, Value *fr, size_t i, int64_t *a, int64_t *b) {
    int64_t c, d; Value v;
    if (!n->varies) {
        v = operand(n, fr);
        if (v.o != NULL || !(v.d > -1e9 && v.d < 1e9) || v.d != floor_of(v.d)) return 0;
        *a = 0;
        *b = (int64_t)v.d;
        return 1;
    }
    if (n->kind == R_LOCAL) {
        *a = 1;
        *b = 0;
        return 1;
    }
    if (!linear(n->item[0], fr, i, a, b) || !linear(n->item[1], fr, i, &c, &d)) return 0;
    if (n->eval == mul_) {              /* (a i + b) (c i + d) with a c = 0 */
        *a = *a * d + *b * c;
        *b *= d;
    } else {
        *a += n->eval == add_ ? c : -c;
        *b += n->eval == add_ ? d : -d;
    }
    return *a > -1000000 && *a < 1000000 && *b > -1000000000 && *b < 1000000000;
}

/* begin_walk(w, n, i) begins the walk of node n; gives 0 if it is none. */
static int begin_walk(Walk *w, Node *n, Value *fr, size_t i) {
    Obj *own;
    Value v = peek(n->varies ? n->item[0] : n, fr, &own);
    int64_t a, b; size_t k;
    w->n = 0;
    if (own != NULL) {
        release(own);
        return 0;
    }
    for (k = 1; n->varies && k < n->n; k++) {
        if (v.o == NULL || IS_FUNC(v) || !linear(n->item[k], fr, i, &a, &b)) return 0;
        if (w->n == 0 && a == 0) {              /* always the same */
            if (b < 0 || (uint64_t)b >= v.o->n) return 0;
            v = element(v.o, (size_t)b);
        } else {
            w->a[w->n] = a;
            w->b[w->n++] = b;
        }
    }
    w->o = v.o;
    w->d = v.d;
    return (v.o != NULL && !IS_FUNC(v)) == (w->n > 0);
}

/* walk(w, i, k, to) fetches the numbers of k turns from turn i on, and gives how many of them it
 * has got. */
static int walk(const Walk *w, int64_t i, int k, double *to) {
    const Obj *o = w->o; Value v; int j, m; int64_t at;
    if (w->n == 0)
        for (j = 0; j < k; j++) to[j] = w->d;
    else if (w->n == 1 && o->kind == NUMS) {
        at = w->a[0] * i + w->b[0];
        for (j = 0; j < k && (uint64_t)at < o->n; j++, at += w->a[0]) to[j] = D(o)[at];
    } else
        for (j = 0; j < k; j++, i++) {
            v.o = (Obj *)o;
            for (m = 0; m < w->n; m++) {
                at = w->a[m] * i + w->b[m];
                if (v.o == NULL || (uint64_t)at >= v.o->n) return j;
                v = element(v.o, (size_t)at);
            }
            if (v.o != NULL) return j;
            to[j] = v.d;
        }
    return j;
}

/* sum(n, i, end) does turns of a sum from turn i on, up to end at most, and gives the first that
 * it has not done. */
static double sum(Node *n, Value *fr, double i, double end) {
    static double x[AHEAD], y[AHEAD]; double s = fr[n->slot].d, m, p;
    Value v = operand(n->more->item[0], fr);
    Walk a, b; int j, k, want;
    if (end > 2147483648.0 || v.o != NULL || !begin_walk(&a, n->more->item[1], fr, n->slot + 1) ||
            !begin_walk(&b, n->more->item[2], fr, n->slot + 1))
        return i;
    m = v.d;
    do {
        want = k = end - i < AHEAD ? (int)(end - i) : AHEAD;
        TICK(k);
        k = walk(&a, (int64_t)i, k, x);
        k = walk(&b, (int64_t)i, k, y);
        if (m == 1)
            for (j = 0; j < k; j++) {
                p = x[j] * y[j];
                s = s + p;
            }
        else
            for (j = 0; j < k; j++) {
                p = x[j] * y[j];
                s = s * m;
                s = s + p;
            }
        i += k;
    } while (k == want && i < end);
    fr[n->slot] = number(s);
    return i;
}

/* depends(n, s) says whether a node depends on anything in slot s or above, and so on the turn of
 * the loop whose first slot is s. */
static int depends(const Node *n, size_t s) {
    size_t i;
    TICK(1);
    if (n->kind == R_LOCAL) return n->slot >= s;
    if (n->more != NULL && n->eval != sum_ && depends(n->more, s)) return 1;
    for (i = 0; i < n->n; i++)
        if (depends(n->item[i], s)) return 1;
    return 0;
}

/* is_linear(n, s) says whether an index is right for linear(), and marks the nodes that vary. */
static int is_linear(Node *n, size_t s) {
    if (!depends(n, s)) return 1;
    n->varies = 1;
    if (n->kind == R_LOCAL) return n->slot == s + 1;
    return (n->eval == add_ || n->eval == sub_ || n->eval == mul_) &&
           is_linear(n->item[0], s) && is_linear(n->item[1], s) &&
           !(n->eval == mul_ && n->item[0]->varies && n->item[1]->varies);
}

/* is_walk(n, s) says whether a factor is right for begin_walk(). */
static int is_walk(Node *n, size_t s) {
    size_t i;
    if (!depends(n, s)) return 1;
    n->varies = 1;
    if (n->eval != at_ || n->n - 1 > WALK || depends(n->item[0], s) || n->item[0]->kind == R_OTHER)
        return 0;
    for (i = 1; i < n->n; i++)
        if (!is_linear(n->item[i], s)) return 0;
    return 1;
}

/* constant(v) gives a node for a value. */
static Node *constant(Value v) {
    Node *n = new_node(R_CONSTANT, 0);
    n->eval = constant_;
    n->v = v;
    n->height = n->cost = 1;
    return n;
}

/* is_state(n, s) says whether n is the state in slot s. */
static int is_state(const Node *n, size_t s) { return n->kind == R_LOCAL && n->slot == s; }

/* find_sum(body, s) gives the parts of a sum, or NULL if it is none; body is that of the fold and
 * s the slot of the state. */
static Node *find_sum(Node *body, size_t s) {
    Node *parts, *left, *right, *m = NULL; int side;
    if (body->eval != add_) return NULL;
    for (side = 0; side < 2; side++) {
        left = body->item[side];
        right = body->item[1 - side];
        if (is_state(left, s)) m = constant(number(1));
        else if (left->eval == add_ && is_state(left->item[0], s) && is_state(left->item[1], s))
            m = constant(number(2));
        else if (left->eval == mul_ && is_state(left->item[0], s) && !depends(left->item[1], s))
            m = left->item[1];
        else if (left->eval == mul_ && is_state(left->item[1], s) && !depends(left->item[0], s))
            m = left->item[0];
        if (m != NULL) break;
    }
    if (m == NULL) return NULL;
    parts = new_node(R_OTHER, 3);
    parts->item[0] = m;
    parts->item[1] = right;
    parts->item[2] = constant(number(1));
    if (right->eval == mul_ && depends(right, s)) {
        parts->item[1] = right->item[0];
        parts->item[2] = right->item[1];
    }
    return is_walk(parts->item[1], s) && is_walk(parts->item[2], s) ? parts : NULL;
}

/* ------------------------------------------------------------ resolving -- */

/* The values of the names introduced by define. */
typedef struct {
    Value v;
    Statement s;                /* what gives the value */
    char state;
    char wanted;                /* see prepare() */
} Global;
enum { WAITING, FAILED, READY };

static Global *globals;         /* those of the names FIRST_NEW to defined - 1 */
static size_t nglobals, room_globals;
static Obj *primitive[FIRST_NEW];       /* primitives as closures */

/* A parameter in scope: it is in a slot of the function fn, and in the closures of functions
 * within that it is captured by, the innermost first. */
typedef struct {
    const Code *fn;
    size_t slot;
    struct capture *captured;
} Parameter;

/* That a function captures a parameter of one around it. */
struct capture {
    const Code *by;
    size_t index;               /* its place in the closure */
    size_t name;
    Node *from;                 /* what the closure is filled from */
    struct capture *outer;      /* the next of this parameter */
    struct capture *next;       /* the next of this function */
};

static Parameter *scope;        /* those of the names from first_local on */
static Code *fn;                /* the function that is being resolved, */
static Node *inner;             /* and the innermost loop in it */

static Node *resolve(Node *n);

/* measure(n) adds up the height and the cost of a node whose items are resolved.  Height: how
 * many calls deep its evaluation goes, without those of functions (8.1).  Cost: about how many
 * nodes it evaluates; loops and functions count what they do themselves. */
static Node *measure(Node *n) {
    size_t i;
    n->height = n->cost = 1;
    for (i = 0; i < n->n; i++) {
        n->cost += n->item[i]->cost;
        if (n->item[i]->height >= n->height) n->height = n->item[i]->height + 1;
    }
    return n;
}

/* slots(k) gives the first of k new slots in the frame of the function; they are free again when
 * fn->top is set back. */
static size_t slots(size_t k) {
    size_t first = fn->top;
    fn->top += k;
    if (fn->top > fn->slots) fn->slots = fn->top;
    return first;
}

/* local(slot) is a node for what is in a slot. */
static Node *local(size_t slot) {
    Node *n = new_node(R_LOCAL, 0);
    n->eval = local_;
    n->slot = slot;
    return measure(n);
}

/* bind(f, slot) brings the parameters of f into scope, which are in slots. */
static void bind(const Node *f, size_t slot) {
    Parameter *p = scope + (f->name - first_local);
    size_t i;
    for (i = 0; i < f->arity; i++) {
        p[i].fn = fn;
        p[i].slot = slot + i;
        p[i].captured = NULL;
    }
}

/* find(name, f) gives a node for a parameter that is used in function f.  If it is that of a
 * function around, it is captured by f, and by all functions between the two. */
static Node *find(size_t name, Code *f) {
    Parameter *p = scope + (name - first_local);
    struct capture *c; Node *n;
    if (p->fn == f) return local(p->slot);
    if (p->captured == NULL || p->captured->by != f) {
        n = find(name, f->up);
        c = arena_get(&nodes, sizeof *c);
        c->by = f;
        c->index = f->ncaptures++;
        c->name = name;
        c->from = n;
        c->outer = p->captured;
        p->captured = c;
        c->next = f->captures;
        f->captures = c;
    }
    n = new_node(R_CAPTURED, 0);
    n->eval = captured_;
    n->slot = p->captured->index;
    return measure(n);
}

/* name(n) resolves a name: a primitive, a definition or a parameter (5.2). */
static Node *name(Node *n) {
    const Global *g;
    if (n->name < FIRST_NEW) return constant(object(primitive[n->name]));
    if (n->name >= first_local) return find(n->name, fn);
    g = &globals[n->name - FIRST_NEW];
    if (g->state == READY) return constant(g->v);
    n->kind = R_OTHER;
    n->eval = missing_;                                         /* 4.5 */
    return measure(n);
}

/* closure(n) resolves an `fn' that is to be a value.  If it captures nothing, it is the same each
 * time, and made here. */
static Node *closure(Node *n) {
    Code *f = arena_get(&nodes, sizeof(Code));
    struct capture *c; Node *to, *around = inner; Obj *o;
    f->up = fn;
    f->arity = n->arity;
    fn = f;
    inner = NULL;
    slots(1 + f->arity);
    bind(n, 1);
    f->body = resolve(n->item[0]);
    inner = around;
    fn = f->up;
    if (f->captures == NULL) {
        o = new_obj(CLOSURE, 0, sizeof(Value));
        o->u.code = f;
        return constant(object(o));
    }
    to = new_node(R_OTHER, f->ncaptures);
    to->eval = closure_;
    to->code = f;
    for (c = f->captures; c != NULL; c = c->next) {
        to->item[c->index] = c->from;
        scope[c->name - first_local].captured = c->outer;
    }
    return measure(to);
}

/* loop(n, p) resolves `array', `fold' or `scan' with all its arguments. */
static Node *loop(Node *n, int p) {
    size_t i, last = n->n - 1, params = p == P_ARRAY ? 1 : 2, was = fn->top;
    Node *f = n->item[last], *body, *around = inner, *k; long cost = 4;
    for (i = 0; i < last; i++) {
        n->item[i] = resolve(n->item[i]);
        cost += n->item[i]->cost;
    }
    n->eval = p == P_ARRAY ? array_ : p == P_FOLD ? fold_ : scan_;
    n->slot = slots(3);
    if (f->kind == N_FN && f->arity == params) {
        bind(f, n->slot + 2 - params);
        inner = n;
        body = resolve(f->item[0]);
        inner = around;
        for (k = n->kept; k != NULL; k = k->kept, cost++) k->slot = fn->slots++;
        n->item[last] = body;
        measure(n);
        if (p == P_FOLD && (n->more = find_sum(body, n->slot)) != NULL) n->eval = sum_;
    } else {
        n->more = resolve(f);
        body = new_node(R_OTHER, 1 + params);
        body->eval = apply_;
        body->item[0] = local(n->slot + 2);
        for (i = 1; i <= params; i++) body->item[i] = local(n->slot + 1 - params + i);
        n->item[last] = measure(body);
        measure(n);
        cost += n->more->cost;
        if (n->more->height >= n->height) n->height = n->more->height + 1;
    }
    n->cost = cost;
    fn->top = was;
    return n;
}

/* keep(n) improves an `at' whose items are resolved.  If the first of its indices are the same in
 * all turns of the loop around it, but not all are, the elements with those are found only once
 * in the loop. */
static void keep(Node *n) {
    Node *at, *k; size_t i, same;
    for (same = 0; inner != NULL && same < n->n; same++)
        if (depends(n->item[same], inner->slot)) break;
    if (same < 2 || same == n->n) return;
    at = new_node(R_OTHER, same);
    at->eval = at_;
    memcpy(at->item, n->item, same * sizeof(Node *));
    k = new_node(R_KEPT, 1);
    k->eval = kept_;
    k->item[0] = measure(at);
    k->kept = inner->kept;
    inner->kept = k;
    n->item[0] = measure(k);
    n->n -= same - 1;
    for (i = 1; i < n->n; i++) n->item[i] = n->item[i + same - 1];
}

/* operation(n, p) resolves a primitive with all its arguments, the items. */
static Node *operation(Node *n, int p) {
    static Value (*const eval[FIRST_NEW])(Node *, Value *) = {
        NULL, equal_, less_, add_, sub_, mul_, div_, NULL, NULL, floor_,
        pow2_, exponent_, round_, NULL, length_, NULL, NULL, NULL, NULL, NULL
    };
    size_t i;
    n->kind = R_OTHER;
    if (eval[p] == NULL) return loop(n, p);
    for (i = 0; i < n->n; i++) n->item[i] = resolve(n->item[i]);
    n->eval = eval[p];
    return measure(n);
}

/* application(n) resolves an application (5.3). */
static Node *application(Node *n) {
    Node *head = n->item[0]; size_t i, k = n->n - 1, was = fn->top;
    int in_place = head->kind == N_FN && head->arity == k;
    n->kind = R_OTHER;
    if (head->kind == N_NAME && head->name < FIRST_NEW && arity_of[head->name] == k) {
        memmove(n->item, n->item + 1, k * sizeof(Node *));
        n->n = k;
        return operation(n, (int)head->name);
    }
    n->may = head->kind == N_FN ||                              /* 5.4 */
             (head->kind == N_NAME && head->name < first_local);
    n->eval = in_place ? let_ : apply_;
    if (in_place) n->slot = slots(k);
    else n->item[0] = resolve(head);
    for (i = 1; i <= k; i++) n->item[i] = resolve(n->item[i]);
    if (in_place) {
        bind(head, n->slot);
        n->item[0] = resolve(head->item[0]);
    }
    fn->top = was;
    return measure(n);
}

/* resolve(n) makes a node that has been read ready to be evaluated, with all below it, and gives
 * the node to be used in its place. */
static Node *resolve(Node *n) {
    Obj *o; size_t i;
    switch (n->kind) {
    case N_NAME:
        return name(n);
    case N_APPLY:
        return application(n);
    case N_FN:
        return closure(n);
    case N_BITS:                                                /* 3.4, 5.7 */
        o = new_obj(BITS, 0, 1);
        o->n = n->arity;
        o->u.bits = n->bits;
        o->shift = (unsigned char)n->slot;
        return constant(object(o));
    case N_IF:
    case N_AT:
    case N_LIST:
        n->eval = n->kind == N_IF ? if_ : n->kind == N_AT ? at_ : list_;
        for (i = 0; i < n->n; i++) n->item[i] = resolve(n->item[i]);
        if (n->kind == N_AT) keep(n);
        n->kind = R_OTHER;
        return measure(n);
    case R_CONSTANT:            /* a number token */
        n->eval = constant_;
        return measure(n);
    default:                    /* resolved already */
        return n;
    }
}

/* make_primitives() makes functions of the primitives, for where they are used as values: the
 * body is the primitive, its items are the parameters. */
static void make_primitives(void) {
    Node *n; Code *c; size_t i; int p;
    for (p = 0; p < FIRST_NEW; p++)
        if (arity_of[p] > 0) {
            fn = c = arena_get(&nodes, sizeof(Code));
            c->arity = arity_of[p];
            slots(1 + c->arity);
            n = new_node(R_OTHER, c->arity);
            for (i = 0; i < n->n; i++) n->item[i] = local(1 + i);
            c->body = operation(n, p);
            primitive[p] = new_obj(CLOSURE, 0, sizeof(Value));
            primitive[p]->u.code = c;
        }
    end_objects(1);
    nodes = NULL;               /* they stay */
}

/* ----------------------------------------------------------- statements -- */

static size_t *wants;           /* see prepare() */
static size_t nwants;
static char *text;              /* the text of a value */
static size_t ntext, room_text;

/* evaluate(s, v) sets *v to the value of a statement's term, and gives OK or an error.  It is
 * evaluated as if it were the body of a function without parameters. */
static int evaluate(Statement *s, Value *v) {
    static Code whole; Node *t; Value *fr;
    if (s->term == NULL) return OVER;
    nodes = s->nodes;
    first_local = s->first_local;
    if (setjmp(trap) == 0) {
        error = OK;
        scope = arena_get(&nodes, (s->last_local - first_local + 1) *
                          sizeof(Parameter));
        memset(&whole, 0, sizeof whole);
        fn = &whole;
        inner = NULL;
        slots(1);
        t = resolve(s->term);
        TICK(t->cost);
        depth = t->height;
        fr = enter(whole.slots);
        fr[0] = number(0);
        *v = EVAL(t);
    }
    while (segment != NULL) leave(segment->v);
    s->nodes = nodes;
    nodes = NULL;
    return error;
}

/* add_global(s) notes a definition that has been read; gives 0 if there is no memory even for
 * this. */
static int add_global(const Statement *s) {
    size_t more = room_globals == 0 ? 64 : 2 * room_globals; Global *g;
    if (nglobals == room_globals) {
        if (setjmp(trap) != 0) return 0;
        wants = take(wants, room_globals * sizeof *wants, more * sizeof *wants);
        globals = take(globals, room_globals * sizeof *globals, more * sizeof *globals);
        room_globals = more;
    }
    g = &globals[nglobals++];
    memset(g, 0, sizeof *g);
    g->s = *s;
    defined++;
    return 1;
}

/* define(g) evaluates a definition and gives OK or an error.  Its nodes stay only if they may be
 * needed again. */
static int define(Global *g) {
    int e = evaluate(&g->s, &g->v);
    g->state = e == OK ? READY : FAILED;
    end_objects(e == OK);
    if (e != OK || !IS_FUNC(g->v)) arena_free(&g->s.nodes);
    return e;
}

/* want(t) notes the definitions not yet evaluated that a term names. */
static void want(const Node *t) {
    size_t i; Global *g;
    if (t == NULL) return;
    if (t->kind == N_NAME && t->name >= FIRST_NEW && t->name - FIRST_NEW < nglobals) {
        g = &globals[t->name - FIRST_NEW];
        if (g->state == WAITING && !g->wanted) {
            g->wanted = 1;
            wants[nwants++] = t->name - FIRST_NEW;
        }
    }
    for (i = 0; i < t->n; i++) want(t->item[i]);
}

static int by_number(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

/* prepare(t) evaluates the definitions that a term of the question names, and that these name
 * (10.2); each names only earlier ones. */
static void prepare(const Node *t) {
    size_t i;
    nwants = 0;
    want(t);
    for (i = 0; i < nwants; i++) want(globals[wants[i]].s.term);
    if (nwants > 0) qsort(wants, nwants, sizeof *wants, by_number);
    for (i = 0; i < nwants && !time_is_up; i++) define(&globals[wants[i]]);
}

/* add(t) adds to the text of a value. */
static void add(const char *t) {
    size_t n = strlen(t), more = 2 * room_text + 64;
    if (room_text - ntext <= n) {
        text = take(text, room_text, more);
        room_text = more;
    }
    memcpy(text + ntext, t, n + 1);
    ntext += n;
}

/* write_value(v) adds a value to the text (10.3). */
static void write_value(Value v) {
    char t[17]; size_t i;
    TICK(20);
    if (v.o == NULL) {
        sprintf(t, "%08lx%08lx", v.d != v.d ? 0x7ff80000UL : (unsigned long)(to_bits(v.d) >> 32),
                v.d != v.d ? 0 : (unsigned long)(to_bits(v.d) & 0xffffffff));
        add(t);
    } else if (IS_FUNC(v))
        add("function");
    else {
        add("[");
        for (i = 0; i < v.o->n; i++) {
            if (i > 0) add(" ");
            write_value(element(v.o, i));
        }
        add("]");
    }
}

/* value_text(v) makes the text of a value.  This is done before anything is written: arrays of
 * few objects can be so long as texts that it ends in an error, as the values of n in [a, a] with
 * a = [b, b] and so on. */
static int value_text(Value v) {
    ntext = 0;
    if (setjmp(trap) != 0) return error;
    add("value ");
    write_value(v);
    return OK;
}

enum { JUDGE, READ, ANSWER };

/* receive(from, mode, status) goes through the statements of a file: it judges those of a
 * message, or only reads them, or answers those of a question (10.1, 10.2).  Gives 1 if all could
 * be read, and sets *status to 1 if that is to be the exit status. */
static int receive(Source *from, int mode, int *status) {
    Statement s; Value v; const char *word; size_t i;
    int e = OK, unread = OK, is_def = 0, was_def;
    src = from;
    for (i = 0; unread == OK && !time_is_up && !at_end(); i++) {    /* 4.3 */
        unread = read_statement(&s, &is_def);
        was_def = unread == OK && is_def;
        if (was_def && !add_global(&s)) unread = OVER;
        if (mode == READ && unread == OK) {
            if (!was_def) arena_free(&s.nodes);
            continue;
        }
        v = number(0);
        if (mode == ANSWER && unread == OK) prepare(s.term);
        e = unread != OK ? unread : time_is_up ? OVER :
            was_def ? define(&globals[nglobals - 1]) : evaluate(&s, &v);
        if (e == OK && mode == ANSWER && !was_def) e = value_text(v);
        word = e != OK ? verdict[e] : was_def ? "defined" :     /* 4.4 */
               mode == ANSWER ? text : v.o == NULL && v.d == 1 ? "true" : "false";
        if (e != OK || word[0] == 'f') *status = 1;
        printf("%lu %s\n", (unsigned long)i, word);
        fflush(stdout);
        if (unread == OK && !was_def) {
            end_objects(0);
            arena_free(&s.nodes);
        }
    }
    if (mode != READ || unread != OK || time_is_up) printf("end %lu\n", (unsigned long)i);
    return unread == OK && !time_is_up;                         /* 4.5 */
}

/* load(s, file) reads a file, which must fit in the memory (10.1); gives 0 if that cannot be
 * done. */
static int load(Source *s, const char *file) {
    FILE *f = strcmp(file, "-") == 0 ? stdin : fopen(file, "rb");
    size_t n = 0, got = 1, more;
    if (f == NULL) return 0;
    if (setjmp(trap) != 0) return 0;
    while (got > 0) {
        if (n == s->bytes) {
            more = n < 65536 ? 65536 : n;       /* as far as there is room */
            if (more > memory - memory_used) more = memory - memory_used;
            if (more == 0) return 0;
            s->data = take(s->data, n, n + more);
            s->bytes = n + more;
        }
        got = fread(s->data + n, 1, s->bytes - n, f);
        n += got;
    }
    s->data = take(s->data, s->bytes, n + 1);
    s->bytes = n + 1;
    s->bits = 8 * n;
    return !ferror(f) && (f == stdin || fclose(f) == 0);
}

int main(int argc, char **argv) {
    static Source source[2];    /* message and question */
    const char *file[2] = { "", "" }; double megabytes = 4096, *option; char *end;
    int i, files = 0, status = 0, can = 1;
    started = time(NULL);
    for (i = 1; i < argc && can; i++) {
        option = strcmp(argv[i], "--seconds") == 0 ? &seconds :
                 strcmp(argv[i], "--megabytes") == 0 ? &megabytes : NULL;
        if (option != NULL) {
            can = ++i < argc;
            if (can) {
                *option = strtod(argv[i], &end);
                can = end != argv[i] && *end == '\0' && *option > 0;
            }
        } else if (files == 2 || strncmp(argv[i], "--", 2) == 0)
            can = 0;
        else file[files++] = argv[i];
    }
    memory = megabytes < 1e9 ? (size_t)(megabytes * 1048576) : SIZE_MAX / 4;
    can = can && files > 0 && (strcmp(file[0], "-") != 0 || strcmp(file[1], "-") != 0);
    for (i = 0; i < files && can; i++) can = load(&source[i], file[i]);
    if (setjmp(trap) != 0) can = 0;
    else if (can) make_primitives();
    if (!can) {
        fprintf(stderr, "usage: receiver [--seconds S] [--megabytes M] "
                "MESSAGE [QUESTION]\n");
        return 2;
    }
    if (files == 1) receive(&source[0], JUDGE, &status);
    else if (receive(&source[0], READ, &status)) receive(&source[1], ANSWER, &status);
    else status = 1;
    return status;
}
