/* receiver.c -- a receiver of the Isagoge language, after SPEC.md alone
 *
 * usage: receiver [--seconds S] [--megabytes M] MESSAGE [QUESTION]       10.1
 *
 * To be compiled as C99 with IEEE 754 doubles that are not contracted, say by
 * gcc -std=c99 -O2 (not -ffast-math), and linked with -lm.
 *
 * The chapters of this file follow those of the specification; numbers such as
 * 5.4 in the comments are its clauses.
 *
 *   errors and limits    what may go wrong, time and memory           4.4, 8
 *   objects              arrays and functions, counted references     5.1
 *   bits and tokens      1, 2
 *   terms                the reader                                   3
 *   numbers              operations not in C's arithmetic             6
 *   nodes                evaluation proper                            5, 6, 7
 *   compiler             from terms to nodes                          5
 *   statements           verdicts, questions, reports                 4, 10
 *
 * How evaluation is done.  A statement is read into a tree of terms, which is
 * then compiled to a tree of nodes and evaluated once.  A node has two
 * functions: val gives its value, num its value as a plain double (the error
 * `kind' if it is not a number).  When a statement is compiled the values of
 * all names defined earlier are known, and as no function can reach itself
 * (5.4) most applications can be resolved while compiling: the compiler
 * carries known functions about as `static' functions and compiles their
 * bodies in place, their parameters becoming slots of one frame.  What this
 * would make too large or too deep is called out of line instead, and
 * functions that only the evaluation can know are objects (closures).
 *
 * What must not change by all this is which error is met first (5.8).  So
 * nothing is evaluated earlier than the specification says; things that
 * cannot change within a loop are evaluated at their first use in it, and
 * only remembered.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <math.h>
#include <setjmp.h>
#include <time.h>

#if defined(__clang__) || !defined(__GNUC__)
#pragma STDC FP_CONTRACT OFF            /* gcc -std=c99 never contracts */
#endif

/* ---------------------------------------------------- errors and limits -- */

#define MAXOPEN 1000            /* open groups around an open token (3.6) */
#define MAXNEST 64              /* nesting of arrays (8.1) */
#define MAXDEPTH 24000          /* nesting of nodes being evaluated (8.1) */
#define MAXINLINE 200           /* nesting of functions compiled in place */
#define MAXCOMP 2500            /* nesting of the compiler */
#define NODES_TOP 200000        /* nodes up to which functions are compiled */
#define NODES_CALL 4000         /*   in place: in a statement, in a function */
#define MAXRETRY 200            /* second tries at the kind of a fold's state */
#define MAXNUMBER 9007199254740992.0    /* 2^53 (2.2, 7.1) */
#define TICKS 4000000           /* steps between two looks at the clock */

enum {                          /* verdicts that are errors (4.4) */
    OK, NUMBER, FORM, NAME, DEPTH, CUT, PARITY,   /* 4.5: reading stops */
    KIND, RANGE, MISSING, OVER                    /* reading goes on */
};
static const char *const verdict[] = {
    "", "number", "form", "name", "depth", "cut", "parity",
    "kind", "range", "missing", "over-limit"
};

static jmp_buf trap;            /* where an error leads to */
static double seconds = 3600;   /* budget of time (10.1) */
static size_t memory;           /* budget of memory, in bytes */
static size_t memory_used;      /* of which so much is taken */
static time_t started;          /* when this was, for the budget of time */
static int time_is_up;          /* the budget of time was exceeded */
static long ticks = TICKS;      /* steps left until the next look */

/*
 * fail(e) ends the reading or evaluation of the statement with error e.
 */
static void fail(int e)
{
    longjmp(trap, e);
}

/*
 * look_at_clock() is called every TICKS steps; fails when time is up (8.1).
 * Elapsed time (10.1) is known to the second below; processor time, which is
 * never more, is known better.
 */
static void look_at_clock(void)
{
    ticks = TICKS;
    if ((double)clock() / CLOCKS_PER_SEC > seconds ||
            difftime(time(NULL), started) - 1 >= seconds) {
        time_is_up = 1;
        fail(OVER);
    }
}
#define TICK(n) do { if ((ticks -= (long)(n)) < 0) look_at_clock(); } while (0)

/*
 * take(old, was, size) is realloc() within the budget of memory (8.1): the
 * block old of `was' bytes, or none, becomes one of size bytes.  Fails with
 * OVER, old being as it was.
 */
static void *take(void *old, size_t was, size_t size)
{
    void *p;

    if (size > was && size - was > memory - memory_used)
        fail(OVER);
    p = realloc(old, size);
    if (p == NULL)
        fail(OVER);
    memory_used += size - was;
    return p;
}

/*
 * give(p, size) frees a block that take() gave.
 */
static void give(void *p, size_t size)
{
    if (p != NULL) {
        memory_used -= size;
        free(p);
    }
}

/* An arena gives memory that is freed all at once. */
struct chunk {
    struct chunk *next;
    size_t used, size;
};
typedef struct chunk *Arena;

/*
 * chunk_size(c, size) is the size of the chunk that follows c if the next
 * piece to be given is of this size; 0 if there is room for it in c.
 */
static size_t chunk_size(const struct chunk *c, size_t size)
{
    size_t want = c == NULL ? 1008 : c->size < 500000 ? 2 * c->size : c->size;

    if (c != NULL && c->size - c->used >= size)
        return 0;
    return want < size ? size : want;
}

/*
 * arena_get(a, size) gives size bytes, aligned for anything here.
 */
static void *arena_get(Arena *a, size_t size)
{
    struct chunk *c = *a;
    size_t want;
    char *p;

    size = (size + 15) & ~(size_t)15;
    want = chunk_size(c, size);
    if (want > 0) {
        c = take(NULL, 0, 32 + want);
        c->next = *a;
        c->used = 0;
        c->size = want;
        *a = c;
    }
    p = (char *)c + 32 + c->used;
    c->used += size;
    return p;
}

/*
 * arena_free(a) frees all that a has given and makes it empty.
 */
static void arena_free(Arena *a)
{
    struct chunk *c;

    while ((c = *a) != NULL) {
        *a = c->next;
        give(c, 32 + c->size);
    }
}

/* -------------------------------------------------------------- objects -- */

typedef struct obj Obj;
typedef struct term Term;
typedef struct node Node;
typedef struct code Code;

/* A value (5.1): a number d if o is NULL, else an array or a function o. */
typedef struct {
    Obj *o;
    double d;
} Value;

/* The kinds of objects; an empty array is of kind NUMS. */
enum { NUMS, ROWS, MIXED, BITS, FUNC, FRAME };

/* An object, followed by its elements: doubles in NUMS, objects in ROWS,
 * values in the others, nothing in BITS, which points into the message.  A
 * FUNC holds values of names around it, then arguments that it has got. */
struct obj {
    Obj *next, *prev;           /* all objects of a statement are in a ring */
    size_t n;                   /* number of elements */
    size_t bytes;               /* size of this object */
    union {
        const Term *fn;         /* FUNC: the fn, or a primitive */
        const unsigned char *bits;      /* BITS: the byte of the first bit */
    } u;
    uint32_t refs;              /* references; if UINT32_MAX, never freed */
    unsigned char kind;
    unsigned char nest;         /* arrays: 1, or 1 more than an element's */
    unsigned char shift;        /* BITS: the place of the first bit */
};
#define D(o) ((double *)((o) + 1))
#define P(o) ((Obj **)((o) + 1))
#define V(o) ((Value *)((o) + 1))

/* Objects of the present statement, and those of earlier ones.  What is alive
 * when a definition has been evaluated stays for good, since no name ever
 * goes out of use; so after an error the objects of the statement are freed
 * without looking who refers to them. */
static Obj young = { &young, &young, 0, 0, { NULL }, 0, 0, 0, 0 };
static Obj old = { &old, &old, 0, 0, { NULL }, 0, 0, 0, 0 };

/*
 * new_obj(kind, n, size) gives an object for n elements of size bytes each,
 * with one reference to it and element count 0.
 */
static Obj *new_obj(int kind, size_t n, size_t size)
{
    Obj *o;

    if (n > memory / size)
        fail(OVER);
    o = take(NULL, 0, sizeof(Obj) + n * size);
    o->bytes = sizeof(Obj) + n * size;
    o->n = 0;
    o->kind = (unsigned char)kind;
    o->nest = 1;
    o->refs = 1;
    o->u.fn = NULL;
    o->next = young.next;
    o->prev = &young;
    young.next->prev = o;
    young.next = o;
    return o;
}

/*
 * resize(o, n, size) makes room for n elements in an object still private to
 * its maker, and gives the object, which may have moved.
 */
static Obj *resize(Obj *o, size_t n, size_t size)
{
    if (n > memory / size)
        fail(OVER);
    o = take(o, o->bytes, sizeof(Obj) + n * size);
    o->bytes = sizeof(Obj) + n * size;
    o->next->prev = o;
    o->prev->next = o;
    return o;
}

/*
 * destroy(o) frees an object without references, and those that it alone
 * held, however long the chain of them.
 */
static void destroy(Obj *o)
{
    Obj *dead = NULL, *e;
    size_t i;

    for (;;) {
        o->next->prev = o->prev;
        o->prev->next = o->next;
        if (o->kind != NUMS && o->kind != BITS)
            for (i = 0; i < o->n; i++) {
                e = o->kind == ROWS ? P(o)[i] : V(o)[i].o;
                if (e != NULL && e->refs != UINT32_MAX && --e->refs == 0) {
                    e->next->prev = e->prev;    /* set aside, in a chain */
                    e->prev->next = e->next;
                    e->prev = e->next = e;
                    e->u.fn = NULL;
                    if (dead != NULL) {
                        e->next = dead;
                        e->prev = dead->prev;
                        dead->prev->next = e;
                        dead->prev = e;
                    }
                    dead = e;
                }
            }
        give(o, o->bytes);
        if (dead == NULL)
            break;
        o = dead;
        dead = o->next == o ? NULL : o->next;
    }
}

static inline void retain(Obj *o)
{
    if (o != NULL && o->refs != UINT32_MAX)
        o->refs++;
}

static void release(Obj *o)
{
    if (o != NULL && o->refs != UINT32_MAX && --o->refs == 0)
        destroy(o);
}

/*
 * end_objects(keep) ends a statement: its objects are kept or freed.
 */
static void end_objects(int keep)
{
    Obj *o;

    if (keep && young.next != &young) {
        young.next->prev = &old;
        young.prev->next = old.next;
        old.next->prev = young.prev;
        old.next = young.next;
        young.next = young.prev = &young;
    }
    while ((o = young.next) != &young) {
        young.next = o->next;
        give(o, o->bytes);
    }
    young.prev = &young;
}

static Value number(double d)
{
    Value v;

    v.o = NULL;
    v.d = d;
    return v;
}

static Value object(Obj *o)
{
    Value v;

    v.o = o;
    v.d = 0;
    return v;
}

/*
 * element(o, i) is element i of an array, which is there; no reference is
 * added.
 */
static inline Value element(const Obj *o, size_t i)
{
    switch (o->kind) {
    case NUMS:
        return number(D(o)[i]);
    case ROWS:
        return object(P(o)[i]);
    case BITS:
        i += o->shift;
        return number(o->u.bits[i >> 3] >> (7 - (i & 7)) & 1);
    default:
        return V(o)[i];
    }
}

/* An array that is being made: o->n elements of n so far. */
typedef struct {
    Obj *o;
    size_t n, room;
} Maker;

/*
 * start(m, n) begins an array of n elements, asking for memory for not many
 * of them at first (8.2).
 */
static void start(Maker *m, size_t n)
{
    m->n = n;
    m->room = n < 4096 ? n : 4096;
    m->o = new_obj(NUMS, m->room, sizeof(double));
}

/*
 * grow(m) makes room for one more element at least.
 */
static void grow(Maker *m)
{
    m->room = m->n - m->room > m->room ? 2 * m->room : m->n;
    m->o = resize(m->o, m->room,
                  m->o->kind == MIXED ? sizeof(Value) : sizeof(double));
}

/*
 * put_num(m, d) adds a number to an array of numbers only.
 */
static void put_num(Maker *m, double d)
{
    if (m->o->n == m->room)
        grow(m);
    D(m->o)[m->o->n++] = d;
}

/*
 * put(m, v) adds an element, whose reference becomes the array's.
 */
static void put(Maker *m, Value v)
{
    Obj *o = m->o, *p;
    size_t i;

    if (v.o == NULL && o->kind == NUMS) {
        put_num(m, v.d);
        return;
    }
    if (v.o != NULL) {
        if (v.o->nest == MAXNEST)
            fail(OVER);                                         /* 8.1 */
        if (o->nest <= v.o->nest)
            o->nest = (unsigned char)(v.o->nest + 1);
        if (o->n == 0)
            o->kind = ROWS;     /* objects are no larger than doubles */
    }
    if (o->kind != MIXED && (o->kind == ROWS) != (v.o != NULL)) {
        p = new_obj(MIXED, m->room, sizeof(Value));
        p->nest = o->nest;
        for (i = 0; i < o->n; i++)
            V(p)[i] = element(o, i);
        p->n = o->n;
        o->n = 0;
        release(o);
        m->o = o = p;
    }
    if (o->n == m->room) {
        grow(m);
        o = m->o;
    }
    if (o->kind == ROWS)
        P(o)[o->n++] = v.o;
    else
        V(o)[o->n++] = v;
}

/* ------------------------------------------------------ bits and tokens -- */

/* A file of bits that is being read (1.1). */
typedef struct {
    unsigned char *data;
    size_t bits, at;            /* number of bits, and of those read */
    size_t bytes;               /* size of the block data */
} Source;

static Source *src;             /* what is being read */

static int bit(void)
{
    int b;

    if (src->at == src->bits)
        fail(CUT);                                              /* 3.6 */
    b = src->data[src->at >> 3] >> (7 - (src->at & 7)) & 1;
    src->at++;
    return b;
}

/*
 * natural() reads a natural (2.1, 2.2); naturals up to 2^53 are doubles.
 */
static double natural(void)
{
    int k = 0, i;
    uint64_t n = 0;

    while (bit())
        if (++k == 55)
            fail(NUMBER);
    for (i = 0; i < k; i++) {
        n = 2 * n + (uint64_t)bit();
        if (n == 0)
            fail(NUMBER);
    }
    if (n > (uint64_t)1 << 53)
        fail(NUMBER);
    return (double)n;
}

enum { OPEN, CLOSE, NUMERAL, WORD };    /* kinds of tokens (1.3) */

/*
 * token(n) reads a token, gives its kind and sets *n to its natural.
 */
static int token(double *n)
{
    int kind;

    TICK(1);
    kind = 2 * bit();
    kind += bit();
    if (kind >= NUMERAL)
        *n = natural();
    return kind;
}

/*
 * ones(from, to) is 1 if the number of ones among these bits is odd (4.2).
 */
static int ones(size_t from, size_t to)
{
    unsigned x = 0;

    while (from < to && (from & 7) != 0) {
        x ^= (unsigned)src->data[from >> 3] >> (7 - (from & 7)) & 1;
        from++;
    }
    for (; to - from >= 8 && from < to; from += 8)
        x ^= src->data[from >> 3];
    for (; from < to; from++)
        x ^= (unsigned)src->data[from >> 3] >> (7 - (from & 7)) & 1;
    x ^= x >> 4;
    x ^= x >> 2;
    return (int)((x ^ x >> 1) & 1);
}

/*
 * at_end() says whether the message ends here: at most seven bits left, all 0
 * (4.3).
 */
static int at_end(void)
{
    size_t i;

    if (src->bits - src->at > 7)
        return 0;
    for (i = src->at; i < src->bits; i++)
        if (src->data[i >> 3] >> (7 - (i & 7)) & 1)
            return 0;
    return 1;
}

/* ---------------------------------------------------------------- terms -- */

/* The first names (3.1, 3.2). */
enum {
    F_DEFINE, P_EQUAL, P_LESS, P_ADD, P_SUB, P_MUL, P_DIV, F_IF, F_FN,
    P_FLOOR, P_POW2, P_EXPONENT, P_ROUND, P_ARRAY, P_LENGTH, F_AT, F_LIST,
    P_FOLD, P_SCAN, F_BITS, FIRST_NEW
};
#define FORMS (1L << F_DEFINE | 1L << F_IF | 1L << F_FN | 1L << F_AT | \
               1L << F_LIST | 1L << F_BITS)
#define IS_FORM(name) ((name) < FIRST_NEW && FORMS >> (int)(name) & 1)

enum { T_NUM, T_LOCAL, T_GLOBAL, T_PRIM, T_APP, T_IF, T_FN, T_AT, T_LIST,
       T_BITS };

struct term {
    unsigned char kind;
    unsigned char shift;        /* T_BITS, as in objects */
    size_t n;                   /* number of items; T_BITS: of bits */
    size_t name;                /* names, T_FN: the first parameter */
    size_t arity;               /* T_FN, T_PRIM */
    double num;
    Term **item;                /* T_APP: head and arguments; T_FN: body */
    const unsigned char *bits;
    size_t frees;               /* T_FN: number of ... */
    size_t *freelist;           /* ... names around it that it uses */
    Code *code;                 /* T_FN, T_PRIM: compiled out of line */
};

static Term prims[FIRST_NEW];   /* the primitives, T_PRIM */

static Arena terms;             /* of the statement that is read */
static Arena lists;             /* the lists of names in terms */
static int forget;              /* no memory: the terms are checked only */
static int opened;              /* number of open groups */
static size_t defined;          /* the next name for a definition */
static size_t next_new;         /* the next new name (3.5) */
static size_t first_local;      /* the least name for a parameter */
static Term **items;            /* stack of items of unfinished groups */
static size_t nitems, room_items;

/*
 * new_term(kind, n) gives a term and takes the last n items as its own.
 * Without memory for it, the statement is only checked from here on (8.1).
 */
static Term *new_term(int kind, size_t n)
{
    static Term nothing;
    Term *t;
    size_t size = sizeof(Term) + n * sizeof(Term *);

    nitems -= forget ? 0 : n;
    if (32 + chunk_size(terms, size + 16) > memory - memory_used)
        forget = 1;
    if (forget)
        return &nothing;
    t = arena_get(&terms, size);
    memset(t, 0, sizeof(Term));
    t->kind = (unsigned char)kind;
    t->n = n;
    if (n > 0) {
        t->item = (Term **)(t + 1);
        memcpy(t->item, items + nitems, n * sizeof(Term *));
    }
    return t;
}

/*
 * push_item(t) puts a term on the stack of items.
 */
static void push_item(Term *t)
{
    size_t more = room_items == 0 ? 256 : 2 * room_items;

    if (!forget && nitems == room_items) {
        if ((more - room_items) * sizeof(Term *) > memory - memory_used)
            forget = 1;
        else {
            items = take(items, room_items * sizeof(Term *),
                         more * sizeof(Term *));
            room_items = more;
        }
    }
    if (!forget)
        items[nitems++] = t;
}

static Term *group(int whole);

/*
 * term(kind, n) reads on from a token, which must begin a term, to the end of
 * that term (3.1), and gives the term.
 */
static Term *term(int kind, double n)
{
    Term *t;

    if (kind == OPEN)
        return group(0);
    if (kind == CLOSE)
        fail(FORM);                                             /* 3.6 */
    if (kind == NUMERAL) {
        t = new_term(T_NUM, 0);
        t->num = n;
        return t;
    }
    if (IS_FORM(n))
        fail(FORM);
    if (n >= (double)next_new ||
            (n >= (double)defined && n < (double)first_local))
        fail(NAME);                                             /* 3.5 */
    if (n < FIRST_NEW)
        return &prims[(int)n];
    t = new_term(n < (double)first_local ? T_GLOBAL : T_LOCAL, 0);
    t->name = (size_t)n;
    return t;
}

/*
 * a_term() reads a term and pushes it; the_close() reads a close.
 */
static void a_term(void)
{
    double n = 0;
    int kind = token(&n);

    push_item(term(kind, n));
}

static void the_close(void)
{
    double n;

    if (token(&n) != CLOSE)
        fail(FORM);
    opened--;
}

/*
 * group(whole) reads a group whose open token has been read (3.2 to 3.4).
 * With whole set it is a whole statement and may be a definition; then its
 * term is given, and `defined' is counted up.
 */
static Term *group(int whole)
{
    Term *t;
    double n = 0;
    size_t i, k, mark, first;
    int kind;

    if (opened == MAXOPEN)
        fail(DEPTH);                                            /* 3.6 */
    opened++;
    mark = nitems;
    kind = token(&n);
    if (kind != WORD || !IS_FORM(n)) {                          /* 3.3 */
        push_item(term(kind, n));
        for (k = 1; (kind = token(&n)) != CLOSE; k++)
            push_item(term(kind, n));
        if (k == 1)
            fail(FORM);
        opened--;
        return new_term(T_APP, k);
    }
    switch ((int)n) {
    case F_DEFINE:
        if (!whole)
            fail(FORM);
        if (token(&n) != WORD)
            fail(FORM);
        if (n != (double)next_new)
            fail(NAME);
        first_local = ++next_new;
        a_term();
        the_close();
        defined = next_new;
        t = forget ? NULL : items[--nitems];
        return t;
    case F_IF:
        a_term();
        a_term();
        a_term();
        the_close();
        return new_term(T_IF, 3);
    case F_FN:
        first = next_new;
        if (token(&n) != WORD)
            fail(FORM);
        if (n != (double)next_new)
            fail(NAME);
        do {
            next_new++;
            kind = token(&n);
        } while (kind == WORD && n == (double)next_new);
        push_item(term(kind, n));
        the_close();
        t = new_term(T_FN, 1);
        t->name = first;
        t->arity = next_new - first;
        next_new = first;
        return t;
    case F_AT:
        a_term();
        a_term();
        for (k = 2; (kind = token(&n)) != CLOSE; k++)
            push_item(term(kind, n));
        opened--;
        return new_term(T_AT, k);
    case F_LIST:
        for (k = 0; (kind = token(&n)) != CLOSE; k++)
            push_item(term(kind, n));
        opened--;
        return new_term(T_LIST, k);
    default:                                                    /* 3.4 */
        if (token(&n) != NUMERAL)
            fail(FORM);
        if (n > (double)(src->bits - src->at))
            fail(CUT);                                          /* 3.6, 8.2 */
        k = (size_t)n;
        i = src->at;
        src->at += k;
        the_close();
        nitems = mark;
        t = new_term(T_BITS, 0);
        t->n = k;
        t->bits = src->data + (i >> 3);
        t->shift = i & 7;
        return t;
    }
}

/*
 * statement(is_def) reads a statement (1.2) and its parity bit, and gives its
 * term, or NULL if there was no memory for it; *is_def says if it is a
 * definition (4.1).
 */
static Term *statement(int *is_def)
{
    Term *t;
    size_t begin = src->at, before = defined;
    double n = 0;
    int kind;

    forget = 0;
    nitems = 0;
    opened = 0;
    next_new = first_local = defined;
    kind = token(&n);
    t = kind == OPEN ? group(1) : term(kind, n);
    *is_def = defined != before;
    bit();
    if (ones(begin, src->at)) {
        defined = before;
        fail(PARITY);                                           /* 4.2 */
    }
    return forget ? NULL : t;
}

/*
 * collect(t, below, list) puts the names of parameters below this one that t
 * uses on the list, if it is not NULL, and gives their number.
 */
static size_t collect(const Term *t, size_t below, size_t *list)
{
    size_t i, n = 0;

    TICK(1);
    if (t->kind == T_LOCAL && t->name < below) {
        if (list != NULL)
            *list = t->name;
        return 1;
    }
    if (t->kind != T_BITS)
        for (i = 0; i < t->n; i++)
            n += collect(t->item[i], below, list == NULL ? NULL : list + n);
    return n;
}

static int by_name(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return x < y ? -1 : x > y;
}

/*
 * find_frees(f) makes the list of the parameters around the function f that
 * it uses, in rising order; they are what a closure of f keeps (5.2).
 */
static void find_frees(Term *f)
{
    size_t i, n, k = 0;
    size_t *list;

    if (f->kind == T_PRIM || f->freelist != NULL)
        return;
    n = collect(f, f->name, NULL);
    list = arena_get(&lists, (n + 1) * sizeof(size_t));
    collect(f, f->name, list);
    qsort(list, n, sizeof(size_t), by_name);
    for (i = 0; i < n; i++)
        if (k == 0 || list[k - 1] != list[i])
            list[k++] = list[i];
    f->frees = k;
    f->freelist = list;
}

/* -------------------------------------------------------------- numbers -- */

/*
 * floor_of(x) is 6.5, pow2_of(x) 6.6, exponent_of(x) 6.7, round_to(p, x) 6.8.
 * Numbers are C's doubles, rounding its own (6.1, 6.2, 6.3).
 */
static inline double floor_of(double x)
{
    double t;

    if (!(x > -4503599627370496.0 && x < 4503599627370496.0) || x == 0)
        return x;
    t = (double)(int64_t)x;
    return t > x ? t - 1 : t;
}

static double from_bits(uint64_t u)
{
    double x;

    memcpy(&x, &u, sizeof x);
    return x;
}

static uint64_t to_bits(double x)
{
    uint64_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static double pow2_of(double x)
{
    if (x >= -1022 && x < 1024)
        return from_bits((uint64_t)((int)floor_of(x) + 1023) << 52);
    if (x != x)
        return x;
    return x > 0 ? HUGE_VAL : x < -1074 ? 0 : ldexp(1, (int)floor_of(x));
}

static double exponent_of(double x)
{
    int e = (int)(to_bits(x) >> 52 & 2047);

    if (e > 0 && e < 2047)
        return e - 1023;
    if (x == 0)
        return -HUGE_VAL;
    if (e == 2047)
        return x != x ? x : HUGE_VAL;
    frexp(x, &e);
    return e - 1;
}

static double round_to(double p, double x)
{
    int e, drop;
    uint64_t u;

    if (!(p >= 1) || p != floor_of(p))
        fail(RANGE);
    if (p >= 53 || x == 0)
        return x;
    u = to_bits(x);
    drop = 53 - (int)p;
    e = (int)(u >> 52 & 2047);
    if (e == 2047)
        return x;
    if (e > 0) {                        /* a carry goes on to the exponent */
        u += ((uint64_t)1 << (drop - 1)) - 1 + (drop == 52 || u >> drop & 1);
        return from_bits(u >> drop << drop);
    }
    x = frexp(x, &e);
    return ldexp(nearbyint(ldexp(x, (int)p)), e - (int)p);
}

/*
 * equal(a, b) is `=' of arrays and numbers (3.1, 6.4).
 */
static int equal(Value a, Value b)
{
    size_t i, n;

    if (a.o == NULL || b.o == NULL)
        return a.o == NULL && b.o == NULL && a.d == b.d;
    n = a.o->n;
    if (n != b.o->n)
        return 0;
    for (i = 0; i < n; i++) {
        TICK(1);
        if (!equal(element(a.o, i), element(b.o, i)))
            return 0;
    }
    return 1;
}

static int is_func(Value v)
{
    return v.o != NULL && v.o->kind == FUNC;
}

/*
 * index_in(o, x) is the index x of the array o, checked (5.6).
 */
static inline size_t index_in(const Obj *o, double x)
{
    size_t i;

    if (o == NULL || o->kind == FUNC)
        fail(KIND);
    if (!(x >= 0 && x < 1e18))
        fail(RANGE);
    i = (size_t)(int64_t)x;
    if (i >= o->n || (double)(int64_t)i != x)
        fail(RANGE);
    return i;
}

/* ---------------------------------------------------------------- nodes -- */

/* What is known of a node's value: a number, a number or an array, nothing. */
enum { NUMBERS, ELEMENTS, ANY };

struct node {
    Value (*val)(Node *, Value *);      /* its value, the caller's reference */
    double (*num)(Node *, Value *);     /* its value, if not a number: KIND */
    Node *a, *b, *c;
    Node **list;                /* n more nodes */
    size_t n;
    double k;
    int slot, slot2;            /* places in the frame */
    unsigned char type;
    unsigned char safe;         /* cannot fail, and needs next to no time */
    unsigned char truth;        /* 0 or 1 for sure */
    long height, cost;          /* of the tree of nodes; cost without loops */
    uint64_t dep;               /* the loops around that it depends on */
    unsigned char op;           /* P_ADD, P_SUB, P_MUL in affine indices */
    uint64_t loop;              /* then, the loop */
    Term *fn;                   /* closures and calls */
    size_t cell;                /* its cell, first the number, then where */
    Node *cells;                /* loops: the nodes with cells that end */
    Node *next, *next_cell;     /* when it begins; chains of such nodes */
};

/* A cell remembers what is the same as long as a loop lasts. */
typedef struct {
    const Obj *o;
    double d;
    int64_t lo, hi;             /* for which i it is good; or hi says if */
    int64_t a, b;               /* the index is a * i + b */
} Cell;
#define CELL(n) ((Cell *)((char *)fr + (n)->cell))

struct code {                   /* a compiled statement or function */
    Node *body;
    Value *consts;              /* arrays that it uses, before the slots */
    size_t nconsts, slots, cells;
    Obj *spare;                 /* a frame not in use */
    Term *fn;
    Code *next;                 /* all that belong to the statement */
};

#define NUM(n) ((n)->num((n), fr))
#define VAL(n) ((n)->val((n), fr))

static long nodes_left;         /* nodes that may be made in a statement */
static long depth;              /* nodes being evaluated, at most */

static Code *compile(Term *t, int fun);

/*
 * run(c, a, na, b, nb) evaluates c with the na values at a, and the nb values
 * at b whose references it takes over, in the first slots.
 */
static Value run(Code *c, const Value *a, size_t na, const Value *b, size_t nb)
{
    Obj *f;
    Value *fr;
    Value v;
    size_t i;

    TICK(c->body->cost + 8);
    if (depth + c->body->height > MAXDEPTH)
        fail(OVER);                                             /* 8.1 */
    depth += c->body->height + 2;
    f = c->spare;
    if (f != NULL)
        c->spare = NULL;
    else {
        f = new_obj(FRAME, c->nconsts + c->slots + 3 * c->cells,
                    sizeof(Value));
        f->n = c->nconsts + c->slots;
        for (i = 0; i < f->n; i++)
            V(f)[i] = number(0);
        for (i = 0; i < c->nconsts; i++) {
            V(f)[c->nconsts - 1 - i] = c->consts[i];
            retain(c->consts[i].o);
        }
    }
    fr = V(f) + c->nconsts;
    for (i = 0; i < na; i++) {
        fr[i] = a[i];
        retain(a[i].o);
    }
    for (i = 0; i < nb; i++)
        fr[na + i] = b[i];
    v = VAL(c->body);
    for (i = 0; i < c->slots; i++) {
        release(fr[i].o);
        fr[i].o = NULL;
    }
    if (c->spare == NULL)
        c->spare = f;
    else
        release(f);
    depth -= c->body->height + 2;
    return v;
}

/*
 * apply(f, args, n) applies a value to n arguments, taking over their
 * references but not f's (5.3).
 */
static Value apply(Obj *f, const Value *args, size_t n)
{
    Obj *held = NULL, *g;
    Code *c;
    Value v;
    size_t rest, i;

    for (;;) {
        if (f == NULL || f->kind != FUNC)
            fail(KIND);
        rest = f->u.fn->arity - (f->n - f->u.fn->frees);
        if (n < rest) {
            g = new_obj(FUNC, f->n + n, sizeof(Value));
            g->u.fn = f->u.fn;
            g->n = f->n + n;
            for (i = 0; i < f->n; i++) {
                V(g)[i] = V(f)[i];
                retain(V(f)[i].o);
            }
            memcpy(V(g) + f->n, args, n * sizeof(Value));
            release(held);
            return object(g);
        }
        c = f->u.fn->code;
        if (c == NULL)
            c = compile((Term *)f->u.fn, 1);
        v = run(c, V(f), f->n, args, rest);
        release(held);
        if (n == rest)
            return v;
        args += rest;
        n -= rest;
        f = held = v.o;
    }
}

/* Every kind of node has a function for its value or one for its number; the
 * other is one of these two. */
static Value boxed(Node *n, Value *fr)
{
    return number(n->num(n, fr));
}

static double unboxed(Node *n, Value *fr)
{
    Value v = n->val(n, fr);

    if (v.o != NULL)
        fail(KIND);
    return v.d;
}

static double const_num(Node *n, Value *fr)
{
    (void)fr;
    return n->k;
}

static double slot_num(Node *n, Value *fr)      /* of a slot for numbers */
{
    return fr[n->slot].d;
}

static double slot_unboxed(Node *n, Value *fr)
{
    if (fr[n->slot].o != NULL)
        fail(KIND);
    return fr[n->slot].d;
}

static Value slot_val(Node *n, Value *fr)
{
    retain(fr[n->slot].o);
    return fr[n->slot];
}

static double raise_num(Node *n, Value *fr)     /* the error k */
{
    (void)fr;
    fail((int)n->k);
    return 0;
}

/*
 * effect(n) evaluates n for its errors, and the slots that it sets.
 */
static void effect(Node *n, Value *fr)
{
    if (n->type == NUMBERS)
        NUM(n);
    else
        release(VAL(n).o);
}

static double seq_num(Node *n, Value *fr)       /* a, then b */
{
    effect(n->a, fr);
    return NUM(n->b);
}

static Value seq_val(Node *n, Value *fr)
{
    effect(n->a, fr);
    return VAL(n->b);
}

/*
 * assign(s, v) sets a slot.
 */
static void assign(Value *s, Value v)
{
    Obj *o = s->o;

    *s = v;
    release(o);
}

static double set_num(Node *n, Value *fr)       /* sets a slot to a */
{
    if (n->a->type == NUMBERS)
        fr[n->slot].d = NUM(n->a);
    else
        assign(fr + n->slot, VAL(n->a));
    return 0;
}

static double letn_num(Node *n, Value *fr)      /* b with the slot set to a */
{
    fr[n->slot].d = NUM(n->a);
    return NUM(n->b);
}

static Value letn_val(Node *n, Value *fr)
{
    fr[n->slot].d = NUM(n->a);
    return VAL(n->b);
}

static double leto_num(Node *n, Value *fr)
{
    double d;

    assign(fr + n->slot, VAL(n->a));
    d = NUM(n->b);
    assign(fr + n->slot, number(0));
    return d;
}

static Value leto_val(Node *n, Value *fr)
{
    Value v;

    assign(fr + n->slot, VAL(n->a));
    v = VAL(n->b);
    assign(fr + n->slot, number(0));
    return v;
}

/*
 * chosen(n) is the branch that `if' takes (5.5).
 */
static Node *chosen(Node *n, Value *fr)
{
    double t = NUM(n->a);

    if (t == 1)
        return n->b;
    if (t != 0)
        fail(RANGE);
    return n->c;
}

static double if_num(Node *n, Value *fr)
{
    n = chosen(n, fr);
    return NUM(n);
}

static Value if_val(Node *n, Value *fr)
{
    n = chosen(n, fr);
    return VAL(n);
}

static double if_truth_num(Node *n, Value *fr)  /* the test is 0 or 1 */
{
    n = NUM(n->a) != 0 ? n->b : n->c;
    return NUM(n);
}

static Value if_truth_val(Node *n, Value *fr)
{
    n = NUM(n->a) != 0 ? n->b : n->c;
    return VAL(n);
}

static Value nonfn_val(Node *n, Value *fr)      /* a, not a function */
{
    Value v = VAL(n->a);

    if (is_func(v))
        fail(KIND);
    return v;
}

/* The functions of two numbers.  The operands may be other nodes (g), slots
 * for numbers (s) or constants (k); or any nodes (v), then both are evaluated
 * before their kinds are looked at (5.3, 6.9). */
#define BINARY(op, E) \
static double op##_gg(Node *n, Value *fr) \
    { double x = NUM(n->a), y = NUM(n->b); return E; } \
static double op##_gs(Node *n, Value *fr) \
    { double x = NUM(n->a), y = fr[n->slot2].d; return E; } \
static double op##_gk(Node *n, Value *fr) \
    { double x = NUM(n->a), y = n->k; return E; } \
static double op##_sg(Node *n, Value *fr) \
    { double x = fr[n->slot].d, y = NUM(n->b); return E; } \
static double op##_ss(Node *n, Value *fr) \
    { double x = fr[n->slot].d, y = fr[n->slot2].d; return E; } \
static double op##_sk(Node *n, Value *fr) \
    { double x = fr[n->slot].d, y = n->k; return E; } \
static double op##_kg(Node *n, Value *fr) \
    { double x = n->k, y = NUM(n->b); return E; } \
static double op##_ks(Node *n, Value *fr) \
    { double x = n->k, y = fr[n->slot2].d; return E; } \
static double op##_vv(Node *n, Value *fr) \
{ \
    Value p = VAL(n->a), q = VAL(n->b); \
    double x = p.d, y = q.d; \
    if (p.o != NULL || q.o != NULL) \
        fail(KIND); \
    return E; \
}
#define BINARIES(op) { op##_gg, op##_gs, op##_gk, op##_sg, op##_ss, op##_sk, \
                       op##_kg, op##_ks, op##_gg, op##_vv }

BINARY(equal, x == y)
BINARY(less, x < y)
BINARY(add, x + y)
BINARY(sub, x - y)
BINARY(mul, x * y)
BINARY(div, x / y)
BINARY(round, round_to(x, y))

static double (*const binary[7][10])(Node *, Value *) = {
    BINARIES(equal), BINARIES(less), BINARIES(add), BINARIES(sub),
    BINARIES(mul), BINARIES(div), BINARIES(round)
};

static double equal_num(Node *n, Value *fr)     /* `=' of any two */
{
    Value p = VAL(n->a), q = VAL(n->b);
    double d;

    if (is_func(p) || is_func(q))
        fail(KIND);                                             /* 6.4 */
    d = equal(p, q);
    release(p.o);
    release(q.o);
    return d;
}

static double floor_num(Node *n, Value *fr)
{
    return floor_of(NUM(n->a));
}

static double pow2_num(Node *n, Value *fr)
{
    return pow2_of(NUM(n->a));
}

static double exponent_num(Node *n, Value *fr)
{
    return exponent_of(NUM(n->a));
}

static double length_num(Node *n, Value *fr)    /* 7.4 */
{
    Value v = VAL(n->a);
    double d;

    if (v.o == NULL || v.o->kind == FUNC)
        fail(KIND);
    d = (double)v.o->n;
    release(v.o);
    return d;
}

/*
 * find(n) is an element of the array in a slot, or of the one that node a
 * finds, with the indices in the list (5.6).  No reference is added, as the
 * slot holds the array meanwhile.
 */
static Value find_kept(Node *n, Value *fr);

static Value find(Node *n, Value *fr)
{
    Value v = n->a == NULL ? fr[n->slot] : find_kept(n->a, fr);
    double x;
    size_t i;

    for (i = 0; i < n->n; i++) {
        x = NUM(n->list[i]);
        v = element(v.o, index_in(v.o, x));
    }
    return v;
}

/*
 * find_kept(n) is find(n) where nothing changes during a loop.
 */
static Value find_kept(Node *n, Value *fr)
{
    Cell *c = CELL(n);
    Value v;

    if (c->hi) {
        v.o = (Obj *)c->o;
        v.d = c->d;
        return v;
    }
    v = find(n, fr);
    c->o = v.o;
    c->d = v.d;
    c->hi = 1;
    return v;
}

static Value kept_val(Node *n, Value *fr)
{
    Value v = find_kept(n, fr);

    retain(v.o);
    return v;
}

static double kept_num(Node *n, Value *fr)
{
    Value v = find_kept(n, fr);

    if (v.o != NULL)
        fail(KIND);
    return v.d;
}

static double memo_num(Node *n, Value *fr)      /* a, the same in a loop */
{
    Cell *c = CELL(n);

    if (!c->hi) {
        c->d = NUM(n->a);
        c->hi = 1;
    }
    return c->d;
}

/*
 * affine(n, a, b) sets a and b so that the number n is a * i + b, i being the
 * variable of the innermost loop; gives 0 if that is not so, or if something
 * on the way there might be rounded.
 */
static int affine(Node *n, Value *fr, int var, int64_t *a, int64_t *b)
{
    int64_t c, d;
    double x;

    if (n->op == 0 || (n->dep & n->loop) == 0) {
        if (n->num == slot_num && n->slot == var) {
            *a = 1;
            *b = 0;
            return 1;
        }
        x = NUM(n);
        if (!(x > -1e9 && x < 1e9) || x != floor_of(x))
            return 0;
        *a = 0;
        *b = (int64_t)x;
        return 1;
    }
    if (!affine(n->a, fr, var, a, b) || !affine(n->b, fr, var, &c, &d))
        return 0;
    if (n->op == P_ADD) {
        *a += c;
        *b += d;
    } else if (n->op == P_SUB) {
        *a -= c;
        *b -= d;
    } else {                    /* of a product one factor is constant */
        if (*a == 0) {
            *a = *b * c;
            *b *= d;
        } else {
            *a *= d;
            *b *= d;
        }
    }
    return *a > -1000000 && *a < 1000000 && *b > -1000000000 &&
           *b < 1000000000;
}

/*
 * quotient(x, y) is x / y rounded up, or 0 if that is negative.
 */
static int64_t quotient(int64_t x, int64_t y)
{
    return x <= 0 ? 0 : y == 1 ? x : (x + y - 1) / y;
}

/*
 * learn(n, k, o) is the element of the array o with the first index of n, at
 * turn k of the innermost loop.  If the index is affine the cell of n is
 * filled: from the length of o follows for which turns the index is right.
 */
static Value learn(Node *n, Value *fr, int64_t k, const Obj *o)
{
    Cell *c = CELL(n);
    int64_t a, b, len, lo = 0, hi = (int64_t)1 << 31;
    double x;

    if (!affine(n->list[0], fr, n->slot2, &a, &b) || k >= hi ||
            o == NULL || o->kind == FUNC || o->n > (size_t)hi) {
        x = NUM(n->list[0]);
        return element(o, index_in(o, x));
    }
    len = (int64_t)o->n;
    if (a * k + b < 0 || a * k + b >= len)
        fail(RANGE);
    if (a > 0) {
        lo = quotient(-b, a);
        hi = quotient(len - b, a);
    } else if (a < 0) {
        lo = quotient(b - len + 1, -a);
        hi = quotient(b + 1, -a);
    }                           /* else the index is the same for all */
    c->o = o;
    c->a = a;
    c->b = b;
    c->lo = lo;
    c->hi = hi;
    return element(o, (size_t)(a * k + b));
}

/*
 * find_affine(n) is find(n) where the first index in the list goes up or down
 * evenly with the variable of the innermost loop, in slot2.
 */
static Value find_affine(Node *n, Value *fr)
{
    Cell *c = CELL(n);
    Value v;
    double x;
    size_t i;
    int64_t k = (int64_t)fr[n->slot2].d;

    if (k >= c->lo && k < c->hi)
        v = element(c->o, (size_t)(c->a * k + c->b));
    else {
        v = n->a == NULL ? fr[n->slot] : find_kept(n->a, fr);
        v = learn(n, fr, k, v.o);
    }
    for (i = 1; i < n->n; i++) {
        x = NUM(n->list[i]);
        v = element(v.o, index_in(v.o, x));
    }
    return v;
}

static Value affine_val(Node *n, Value *fr)
{
    Value v = find_affine(n, fr);

    retain(v.o);
    return v;
}

static double affine_num(Node *n, Value *fr)
{
    Cell *c = CELL(n);
    int64_t k = (int64_t)fr[n->slot2].d;
    Value v;

    if (k >= c->lo && k < c->hi) {
        if (c->o->kind == NUMS)
            return D(c->o)[c->a * k + c->b];
        if (c->o->kind == BITS)
            return element(c->o, (size_t)(c->a * k + c->b)).d;
    }
    v = find_affine(n, fr);
    if (v.o != NULL)
        fail(KIND);
    return v.d;
}

static Value at_val(Node *n, Value *fr)
{
    Value v = find(n, fr);

    retain(v.o);
    return v;
}

static double at_num(Node *n, Value *fr)
{
    Value v = find(n, fr);

    if (v.o != NULL)
        fail(KIND);
    return v.d;
}

static Value list_val(Node *n, Value *fr)       /* 5.7 */
{
    Maker m;
    size_t i;

    TICK(n->n);
    start(&m, n->n);
    for (i = 0; i < n->n; i++)
        put(&m, VAL(n->list[i]));
    return object(m.o);
}

/* Loops (7.1, 7.2, 7.3): n is a, the start b, the value for each i is c; i is in
 * slot2, the state in slot.  If the function is known only now, it is in slot
 * k, else k is negative. */

/*
 * times(n, v, s) checks the operands of a loop, n being v and the start s,
 * and gives n (7.1).
 */
static double times(Node *n, Value *fr, Value v, Value s)
{
    if (v.o != NULL || is_func(s) || (n->k >= 0 && !is_func(fr[(int)n->k])))
        fail(KIND);
    if (!(v.d >= 0 && v.d <= MAXNUMBER) || v.d != (double)(int64_t)v.d)
        fail(RANGE);
    return v.d;
}

/*
 * begin(n) makes the cells invalid that are good for one run of the loop n.
 */
static void begin(Node *n, Value *fr)
{
    Node *m;

    for (m = n->cells; m != NULL; m = m->next_cell)
        CELL(m)->lo = CELL(m)->hi = 0;
}

static Value array_val(Node *n, Value *fr)
{
    double i, end = times(n, fr, VAL(n->a), number(0));
    Node *body = n->c;
    Maker m;

    begin(n, fr);
    start(&m, (size_t)end);
    if (body->type == NUMBERS)
        for (i = 0; i < end; i++) {
            TICK(body->cost);
            fr[n->slot2].d = i;
            put_num(&m, NUM(body));
        }
    else
        for (i = 0; i < end; i++) {
            TICK(body->cost);
            fr[n->slot2].d = i;
            put(&m, VAL(body));
        }
    return object(m.o);
}

static double foldn_num(Node *n, Value *fr)     /* all states are numbers */
{
    Value v = VAL(n->a);
    double i, end, s = NUM(n->b);
    Node *body = n->c;

    end = times(n, fr, v, number(0));
    begin(n, fr);
    for (i = 0; i < end; i++) {
        TICK(body->cost);
        fr[n->slot].d = s;
        fr[n->slot2].d = i;
        s = NUM(body);
    }
    return s;
}

/* What is multiplied in a sum: elements p[a * i + b] of numbers, or elements
 * j of the arrays p[a * i + b]. */
typedef struct {
    const Obj *o;
    int64_t a, b, j;
} Factor;

/*
 * factor(n, f, end) gives 1 if what the node n finds from now on is known, up
 * to a number of the loop to which *end may be reduced.
 */
static int factor(Node *n, Value *fr, Factor *f, int64_t *end)
{
    Cell *c = CELL(n);
    double x;

    if (c->hi == 0)
        return 0;
    f->o = c->o;
    f->a = c->a;
    f->b = c->b;
    f->j = -1;
    if (c->hi < *end)
        *end = c->hi;
    if (n->n == 1)
        return c->o->kind == NUMS;
    x = NUM(n->list[1]);
    if (c->o->kind != ROWS || !(x >= 0 && x < 1e9) || x != floor_of(x))
        return 0;
    f->j = (int64_t)x;
    return 1;
}

/*
 * dot_num(n) is foldn_num(n) for a state to which products are added.  The
 * first one and what is not as usual is left to the nodes.
 */
static double dot_num(Node *n, Value *fr)
{
    Value u, v = VAL(n->a);
    double end, s = NUM(n->b);
    const double *p, *q;
    const Obj *o;
    Factor f, g, h;
    int64_t i, stop;

    end = times(n, fr, v, number(0));
    begin(n, fr);
    for (i = 0; (double)i < end; ) {
        TICK(n->c->cost);
        fr[n->slot].d = s;
        fr[n->slot2].d = (double)i;
        u = find_affine(n->list[0], fr);
        v = find_affine(n->list[1], fr);
        if (u.o != NULL || v.o != NULL)
            fail(KIND);
        s = s + u.d * v.d;
        i++;
        stop = end - (double)i > 100000 ? i + 100000 : (int64_t)end;
        if (i == stop || !factor(n->list[0], fr, &f, &stop) ||
                !factor(n->list[1], fr, &g, &stop) || (f.j >= 0 && g.j >= 0))
            continue;
        TICK(stop - i);
        if (f.j >= 0) {
            h = f;
            f = g;
            g = h;
        }
        p = D(f.o);
        if (g.j < 0)
            for (q = D(g.o); i < stop; i++)
                s = s + p[f.a * i + f.b] * q[g.a * i + g.b];
        else
            for (; i < stop; i++) {
                o = P(g.o)[g.a * i + g.b];
                if (o->kind != NUMS || (uint64_t)g.j >= o->n)
                    break;
                s = s + p[f.a * i + f.b] * D(o)[g.j];
            }
    }
    return s;
}

/*
 * horner_num(n) is foldn_num(n) for a state s that becomes s * c + e, where c
 * does not change and e is an element found with an affine index.
 */
static double horner_num(Node *n, Value *fr)
{
    Value v = VAL(n->a);
    double end, s = NUM(n->b), x = NUM(n->list[1]);
    Cell *c = CELL(n->list[0]);
    const double *p;
    const unsigned char *bits;
    int64_t i, j, stop;

    end = times(n, fr, v, number(0));
    begin(n, fr);
    for (i = 0; (double)i < end; ) {
        TICK(n->c->cost);
        fr[n->slot2].d = (double)i;
        v = find_affine(n->list[0], fr);
        if (v.o != NULL)
            fail(KIND);
        s = s * x + v.d;
        i++;
        stop = end - (double)i > 100000 ? i + 100000 : (int64_t)end;
        if (stop > c->hi)
            stop = c->hi;
        if (i >= stop)
            continue;
        TICK(stop - i);
        j = c->a * i + c->b;
        if (c->o->kind == NUMS)
            for (p = D(c->o); i < stop; i++, j += c->a)
                s = s * x + p[j];
        else if (c->o->kind == BITS)
            for (bits = c->o->u.bits, j += c->o->shift; i < stop; i++) {
                s = s * x + (bits[j >> 3] >> (7 - (j & 7)) & 1);
                j += c->a;
            }
    }
    return s;
}

static Value foldo_val(Node *n, Value *fr)
{
    Value v = VAL(n->a), s = VAL(n->b);
    double i, end;

    end = times(n, fr, v, s);
    begin(n, fr);
    assign(fr + n->slot, s);
    for (i = 0; i < end; i++) {
        TICK(n->c->cost);
        fr[n->slot2].d = i;
        assign(fr + n->slot, VAL(n->c));
    }
    s = fr[n->slot];
    fr[n->slot].o = NULL;
    return s;
}

static Value scan_val(Node *n, Value *fr)
{
    Value v = VAL(n->a), s = VAL(n->b);
    double i, end;
    Maker m;

    end = times(n, fr, v, s);
    begin(n, fr);
    assign(fr + n->slot, s);
    start(&m, (size_t)end);
    for (i = 0; i < end; i++) {
        TICK(n->c->cost);
        fr[n->slot2].d = i;
        s = VAL(n->c);
        assign(fr + n->slot, s);
        retain(s.o);
        put(&m, s);
    }
    assign(fr + n->slot, number(0));
    return object(m.o);
}

static Value closure_val(Node *n, Value *fr)    /* fn with values in list */
{
    Obj *o = new_obj(FUNC, n->n, sizeof(Value));

    o->u.fn = n->fn;
    while (o->n < n->n) {
        V(o)[o->n] = VAL(n->list[o->n]);
        o->n++;
    }
    return object(o);
}

static Value call_val(Node *n, Value *fr)       /* fn out of line */
{
    Obj *o = closure_val(n, fr).o;
    Value v;

    if (n->fn->code == NULL)
        compile(n->fn, 1);
    v = run(n->fn->code, NULL, 0, V(o), o->n);
    o->n = 0;
    release(o);
    return v;
}

static Value apply_val(Node *n, Value *fr)      /* a to the list */
{
    Value v = VAL(n->a), r;
    Obj *o = new_obj(FRAME, n->n, sizeof(Value));
    size_t i;

    for (i = 0; i < n->n; i++)
        V(o)[i] = VAL(n->list[i]);
    r = apply(v.o, V(o), n->n);
    release(o);
    release(v.o);
    return r;
}

/* ------------------------------------------------------------- compiler -- */

/* A static function: one that the compiler knows.  Of its arity, n arguments
 * are given: for an fn they are in env, for a primitive in args. */
typedef struct func Func;
typedef struct bind Bind;

/* What the compiler knows of a value: if fn is NULL, that node gives it; else
 * it is a static function, and node (or NULL) sets the slots it needs. */
typedef struct {
    Node *node;
    Func *fn;
} Known;

struct func {
    Term *fn;
    Bind *env;
    size_t n;
    Known args[3];
    int fresh;                  /* written where it is used, so used once */
    Obj *o;                     /* or a closure, of which only fn and n are */
                                /*   known until expand() */
};

struct bind {                   /* a parameter and its value, which is either */
    Bind *up;                   /*   a slot or constant, or a static function */
    size_t name;                /*   with nothing to set */
    Known known;
};

/* The value of a name introduced by define (4.5, 10.2). */
typedef struct {
    Value v;
    Term *term;
    Arena arena;                /* its terms, as long as they are needed */
    char state, wanted;
} Global;
enum { WAITING, FAILED, READY };

static Global *globals;         /* names from FIRST_NEW to defined - 1 */
static size_t room_globals;

static Arena nodes;             /* of all that is compiled for a statement */
static Code *codes;

static struct {                 /* of what is being compiled */
    int top, max;               /* slots in use, and most in use */
    long made, limit;           /* nodes made, and when to stop inlining */
    int inlined, level;         /* nesting of functions, of the compiler */
    int retries;
    long loop;                  /* nesting of loops */
    struct { int var; Node *cells; } loops[63];
    size_t cells;
    Node *celled;               /* all nodes with cells */
    Value *consts;
    size_t nconsts, room;
} C;

static Known comp(Term *t, Bind *env);
static Known apply_known(Known f, const Known *args, size_t n);

/*
 * new_node(type, a, b, c) gives a node with these below it, each may be NULL.
 */
static Node *new_node(int type, Node *a, Node *b, Node *c)
{
    Node *n = arena_get(&nodes, sizeof(Node));
    Node *below[3];
    int i;

    TICK(1);
    memset(n, 0, sizeof(Node));
    C.made++;
    n->type = (unsigned char)type;
    n->a = below[0] = a;
    n->b = below[1] = b;
    n->c = below[2] = c;
    n->height = n->cost = 1;
    for (i = 0; i < 3; i++)
        if (below[i] != NULL) {
            n->cost += below[i]->cost;
            if (below[i]->height >= n->height)
                n->height = below[i]->height + 1;
            n->dep |= below[i]->dep;
        }
    return n;
}

static Node *of_num(Node *n, double (*num)(Node *, Value *))
{
    n->num = num;
    n->val = boxed;
    return n;
}

static Node *of_val(Node *n, Value (*val)(Node *, Value *))
{
    n->val = val;
    n->num = unboxed;
    return n;
}

static Node *of_both(Node *n, Value (*val)(Node *, Value *),
                     double (*num)(Node *, Value *))
{
    n->val = n->type == NUMBERS ? boxed : val;
    n->num = num;
    return n;
}

/*
 * with_list(n, list, k) gives node n k more nodes below it.
 */
static void with_list(Node *n, Node **list, size_t k)
{
    size_t i;

    n->list = list;
    n->n = k;
    for (i = 0; i < k; i++) {
        n->cost += list[i]->cost;
        if (list[i]->height >= n->height)
            n->height = list[i]->height + 1;
        n->dep |= list[i]->dep;
    }
}

/* The bit for a loop among those that a node depends on; the 63rd stands for
 * all that are nested deeper. */
#define LOOP_BIT(l) ((l) == 0 ? 0 : (uint64_t)1 << ((l) < 63 ? (l) : 63))

static Node *constant(double d)
{
    Node *n = of_num(new_node(NUMBERS, NULL, NULL, NULL), const_num);

    n->k = d;
    n->safe = 1;
    return n;
}

static Node *raise(int e)
{
    Node *n = of_num(new_node(NUMBERS, NULL, NULL, NULL), raise_num);

    n->k = e;
    return n;
}

static int new_slot(void)
{
    if (C.top == 100000000)
        fail(OVER);
    if (++C.top > C.max)
        C.max = C.top;
    return C.top - 1;
}

static Node *slot_node(int slot, int type, uint64_t dep)
{
    Node *n = new_node(type, NULL, NULL, NULL);

    of_both(n, slot_val, type == NUMBERS ? slot_num : slot_unboxed);
    n->slot = slot;
    n->safe = type == NUMBERS;
    n->dep = dep;
    return n;
}

/*
 * bound_slot(slot, n) is a slot that has been set to n.  It holds an object
 * only until it is set again, but the same number whenever it is set.
 */
static Node *bound_slot(int slot, const Node *n)
{
    return slot_node(slot, n->type, n->type == NUMBERS ? n->dep :
                     n->dep | LOOP_BIT(C.loop));
}

static int is_trivial(const Node *n)
{
    return n->num == const_num || n->num == slot_num ||
           n->num == slot_unboxed;
}

static Node *seq(Node *a, Node *b)
{
    if (a == NULL)
        return b;
    return of_both(new_node(b->type, a, b, NULL), seq_val, seq_num);
}

static Known known(Node *node)
{
    Known k;

    k.node = node;
    k.fn = NULL;
    return k;
}

static Known known_func(Term *fn, Bind *env)
{
    Known k;

    k.node = NULL;
    k.fn = arena_get(&nodes, sizeof(Func));
    memset(k.fn, 0, sizeof(Func));
    k.fn->fn = fn;
    k.fn->env = env;
    return k;
}

static Bind *bind(Bind *up, size_t name, Known k)
{
    Bind *b = arena_get(&nodes, sizeof(Bind));

    b->up = up;
    b->name = name;
    b->known = k;
    return b;
}

/*
 * constant_object(o) is a node for an object that is there already; it is in
 * the frame, before the slots.
 */
static Node *constant_object(Obj *o)
{
    int type = o->kind == FUNC ? ANY : ELEMENTS;
    size_t i, more;
    Value *p;

    for (i = C.nconsts; i-- > 0 && i + 100 > C.nconsts; )
        if (C.consts[i].o == o)
            return slot_node(-1 - (int)i, type, 0);
    if (C.nconsts == C.room) {
        more = C.room == 0 ? 4 : 2 * C.room;
        p = arena_get(&nodes, more * sizeof(Value));
        if (C.nconsts > 0)
            memcpy(p, C.consts, C.nconsts * sizeof(Value));
        C.consts = p;
        C.room = more;
    }
    C.consts[C.nconsts++] = object(o);
    return slot_node(-(int)C.nconsts, type, 0);
}

/*
 * known_value(v) is a value from an earlier statement, or an array that the
 * caller has made.
 */
static Known known_value(Value v)
{
    Known k;
    const Obj *o = v.o;

    if (o == NULL)
        return known(constant(v.d));
    if (o->kind != FUNC)
        return known(constant_object(v.o));
    k = known_func((Term *)o->u.fn, NULL);
    k.fn->n = o->n - o->u.fn->frees;
    k.fn->o = v.o;
    return k;
}

/*
 * expand(g) makes known what a closure from an earlier statement holds.
 */
static void expand(Func *g)
{
    const Obj *o = g->o;
    const Term *f = g->fn;
    size_t i;

    if (o == NULL)
        return;
    for (i = 0; i < o->n; i++)
        if (f->kind == T_PRIM)
            g->args[i] = known_value(V(o)[i]);
        else
            g->env = bind(g->env, i < f->frees ? f->freelist[i] :
                          f->name + (i - f->frees), known_value(V(o)[i]));
    g->o = NULL;
}

/*
 * value_of(k) is a node for what is known of a value; a static function
 * becomes a closure.  element_of(k) is one that fails if it is a function.
 */
static Node *value_of(Known k)
{
    Node *n, **list;
    Bind *b;
    Term *f;
    size_t i, m;

    if (k.fn == NULL)
        return k.node;
    if (k.fn->o != NULL)
        return seq(k.node, constant_object(k.fn->o));
    if (++C.level > 2 * MAXCOMP)
        fail(OVER);
    f = k.fn->fn;
    find_frees(f);
    m = f->frees + k.fn->n;
    list = arena_get(&nodes, (m + 1) * sizeof(Node *));
    for (i = m, b = k.fn->env; i-- > 0; )
        if (f->kind == T_PRIM)
            list[i] = value_of(k.fn->args[i]);
        else {
            size_t name = i < f->frees ? f->freelist[i] :
                          f->name + (i - f->frees);
            while (b->name != name)
                b = b->up;
            list[i] = value_of(b->known);
        }
    n = new_node(ANY, NULL, NULL, NULL);
    with_list(n, list, m);
    n->fn = f;
    C.level--;
    return seq(k.node, of_val(n, closure_val));
}

static Node *element_of(Known k)
{
    if (k.fn != NULL)
        return seq(k.node, raise(KIND));
    if (k.node->type != ANY)
        return k.node;
    return of_val(new_node(ELEMENTS, k.node, NULL, NULL), nonfn_val);
}

/*
 * let(slot, a, b) is b with the slot set to a before.
 */
static Node *let(int slot, Node *a, Node *b)
{
    Node *n = new_node(b->type, a, b, NULL);

    n->slot = slot;
    if (a->type == NUMBERS)
        return of_both(n, letn_val, letn_num);
    return of_both(n, leto_val, leto_num);
}

/*
 * arithmetic(op, a, b) is a node for one of the functions of two numbers.
 */
static Node *arithmetic(int op, Node *a, Node *b)
{
    Node *n = new_node(NUMBERS, a, b, NULL);
    int i, form[2];

    n->truth = op == P_EQUAL || op == P_LESS;
    if (op == P_EQUAL && (a->type != NUMBERS || b->type != NUMBERS))
        return of_num(n, equal_num);
    if (C.loop < 63 && (op == P_ADD || op == P_SUB || op == P_MUL)) {
        n->op = (unsigned char)op;
        n->loop = LOOP_BIT(C.loop);
    }
    n->safe = a->safe && b->safe && op != P_ROUND && n->height < 4;
    if (a->type != NUMBERS && !b->safe)
        i = 9;
    else {
        form[0] = a->num == slot_num ? 1 : a->num == const_num ? 2 : 0;
        form[1] = b->num == slot_num ? 1 : b->num == const_num ? 2 : 0;
        i = form[0] * 3 + form[1];
        n->slot = a->slot;
        n->slot2 = b->slot;
        if (i == 8)
            i = 0;
        n->k = form[0] == 2 ? a->k : b->k;
    }
    return of_num(n, binary[op == P_ROUND ? 6 : op - P_EQUAL][i]);
}

/*
 * innermost(dep) is the innermost of some loops, 0 if there are none.
 */
static long innermost(uint64_t dep)
{
    long l = 0;

    while (dep >>= 1)
        l++;
    return l;
}

/*
 * with_cell(n, l) gives n a cell that is good during the loop nested l deep.
 */
static void with_cell(Node *n, long l)
{
    n->cell = C.cells++;
    n->next = C.celled;
    C.celled = n;
    n->next_cell = C.loops[l].cells;
    C.loops[l].cells = n;
}

/*
 * remembered(n) is n, but evaluated only once in the loops that it does not
 * depend on, if that is worth while.
 */
static Node *remembered(Node *n)
{
    long l = innermost(n->dep) + 1;
    Node *m;

    if (C.loop >= 63 || l > C.loop || n->type != NUMBERS || n->cost < 8 ||
            n->num == memo_num)
        return n;
    m = of_num(new_node(NUMBERS, n, NULL, NULL), memo_num);
    m->cost = 1;
    with_cell(m, l);
    return m;
}

/*
 * is_affine(n) says whether an index could be a * i + b, where i is the
 * variable of the innermost loop.
 */
static int is_affine(const Node *n)
{
    uint64_t bit = LOOP_BIT(C.loop);

    if ((n->dep & bit) == 0)
        return 1;
    if (n->num == slot_num)
        return n->slot == C.loops[C.loop].var;
    return n->op != 0 && n->loop == bit && is_affine(n->a) &&
        is_affine(n->b) && (n->a->type == NUMBERS || n->b->safe) &&
        (n->op != P_MUL || (n->a->dep & bit) == 0 || (n->b->dep & bit) == 0);
}

/*
 * lookup(base, list, n) is a node for the element of a slot with n indices.
 * Leading indices that do not change in a loop get a node of their own.
 */
static Node *lookup(Node *base, Node **list, size_t n)
{
    Node *m, *from = NULL;
    uint64_t dep = base->dep;
    size_t i = 0, k;
    long l;

    for (k = 0; ; k++) {
        l = innermost(dep);
        if (C.loop < 63 && l < C.loop && k > i &&
                (k == n || innermost(list[k]->dep) > l)) {
            m = new_node(ELEMENTS, from, NULL, NULL);
            of_both(m, kept_val, kept_num);
            m->slot = base->slot;
            with_list(m, list + i, k - i);
            m->dep = dep;
            with_cell(m, l + 1);
            from = m;
            i = k;
        }
        if (k == n)
            break;
        dep |= list[k]->dep;
    }
    if (i == n)
        return from;
    m = new_node(ELEMENTS, from, NULL, NULL);
    of_both(m, at_val, at_num);
    m->slot = base->slot;
    with_list(m, list + i, n - i);
    m->dep = dep;
    if (C.loop > 0 && C.loop < 63 && (list[i]->dep & LOOP_BIT(C.loop)) &&
            !((from != NULL ? from->dep : base->dep) & LOOP_BIT(C.loop)) &&
            is_affine(list[i])) {
        of_both(m, affine_val, affine_num);
        m->slot2 = C.loops[C.loop].var;
        with_cell(m, C.loop);
    }
    return m;
}

/*
 * is_sum(n, factor) says whether n adds to a state, a number, the product of
 * two elements found with affine indices, which are the factors.
 */
static int is_sum(Node *n, Node **factor)
{
    Node *s = n->c->a, *p = n->c->b, *f;
    int i;

    if (n->c->op != P_ADD)
        return 0;
    if (p->num == slot_num) {
        p = s;
        s = n->c->b;
    }
    if (s->num != slot_num || s->slot != n->slot || p->op != P_MUL)
        return 0;
    for (i = 0; i < 2; i++) {
        factor[i] = f = i == 0 ? p->a : p->b;
        if (f->num != affine_num || f->slot2 != n->slot2 || f->n > 2 ||
                (f->n == 2 && (f->list[1]->dep & p->loop)))
            return 0;
    }
    return 1;
}

/*
 * is_horner(n, part) says whether n makes its state s, a number, s * c + e as
 * in horner_num(); the parts are e and c.
 */
static int is_horner(Node *n, Node **part)
{
    Node *p = n->c->a, *e = n->c->b;

    if (n->c->op != P_ADD || p->op != P_MUL || p->a->num != slot_num ||
            p->a->slot != n->slot || (p->b->dep & p->loop) ||
            (p->b->num != slot_num && p->b->num != const_num) ||
            e->num != affine_num || e->slot2 != n->slot2 || e->n != 1)
        return 0;
    part[0] = e;
    part[1] = p->b;
    return 1;
}

/*
 * loop(p, args) is a node for array, fold or scan.  The function is static
 * without anything to set, or a slot.
 */
static Node *loop(int p, const Known *args)
{
    Known f = args[p == P_ARRAY ? 1 : 2], a[2], r;
    Node *start = p == P_ARRAY ? NULL : args[1].node, *n, *body;
    int type = start == NULL || p == P_SCAN || C.retries > MAXRETRY ? ELEMENTS :
               start->type, top = C.top, k = 0;
    int slot[2];
    Node **list, *cells;

    for (;;) {
        C.top = top;
        C.loop++;
        slot[0] = start == NULL ? 0 : new_slot();
        slot[1] = new_slot();
        if (C.loop < 63) {
            C.loops[C.loop].var = slot[1];
            C.loops[C.loop].cells = NULL;
        }
        if (start != NULL)
            a[k++] = known(slot_node(slot[0], type == NUMBERS ? NUMBERS :
                                     ELEMENTS, LOOP_BIT(C.loop)));
        a[k++] = known(slot_node(slot[1], NUMBERS, LOOP_BIT(C.loop)));
        if (f.fn == NULL && f.node->type != ANY)
            body = raise(KIND);         /* never reached */
        else
            r = apply_known(f, a, (size_t)k), body = element_of(r);
        cells = C.loop < 63 ? C.loops[C.loop].cells : NULL;
        C.loop--;
        C.top = top;
        k = 0;
        if (type != NUMBERS || body->type == NUMBERS)
            break;
        C.retries++;
        type = ELEMENTS;                /* the state may become an array */
    }
    n = new_node(type == NUMBERS ? NUMBERS : ELEMENTS, args[0].node, start,
                 body);
    if (C.loop + 1 < 63)
        n->dep &= ~LOOP_BIT(C.loop + 1);
    if (f.fn == NULL)
        n->dep |= f.node->dep;
    n->cells = cells;
    n->cost += 8 - body->cost;
    n->slot = slot[0];
    n->slot2 = slot[1];
    n->k = f.fn == NULL ? f.node->slot : -1;
    if (f.fn == NULL && f.node->type != ANY)
        n->k = -1;
    if (p == P_ARRAY)
        return of_val(n, array_val);
    if (p == P_SCAN)
        return of_val(n, scan_val);
    if (type != NUMBERS)
        return of_val(n, foldo_val);
    list = arena_get(&nodes, 2 * sizeof(Node *));
    if (body->op != 0 && is_sum(n, list)) {
        n->list = list;
        return of_num(n, dot_num);
    }
    if (body->op != 0 && is_horner(n, list)) {
        n->list = list;
        return of_num(n, horner_num);
    }
    return of_num(n, foldn_num);
}

/*
 * primitive(p, args) is a node for a primitive with all its arguments, which
 * are evaluated in order.
 */
static Node *primitive(int p, const Known *args)
{
    size_t i, arity = prims[p].arity, f;
    Node *n = NULL, *a = args[0].node;
    int bad = 0, loops = p == P_ARRAY || p == P_FOLD || p == P_SCAN;

    f = loops ? arity - 1 : arity;
    for (i = 0; i < arity; i++)
        if (args[i].fn != NULL ? i != f :
                i == f && args[i].node->type != ANY)
            bad = 1;
    if (bad) {
        for (i = 0; i < arity; i++)
            if (args[i].node != NULL)
                n = seq(n, args[i].node);
        return n == NULL ? raise(KIND) : seq(n, raise(KIND));
    }
    if (loops)
        return loop(p, args);
    if (arity == 2)
        return arithmetic(p, a, args[1].node);
    n = new_node(NUMBERS, a, NULL, NULL);
    n->safe = p != P_LENGTH && a->safe && n->height < 4;
    return of_num(n, p == P_FLOOR ? floor_num : p == P_POW2 ? pow2_num :
                  p == P_EXPONENT ? exponent_num : length_num);
}

/*
 * apply_known(f, args, n) is the application of f, which is a slot or
 * constant or a static function with nothing to set, to n arguments.  The
 * arguments are like f, but if f is a primitive with just these arguments
 * they may be any nodes.
 */
static Known apply_known(Known f, const Known *args, size_t n)
{
    Known k, given[3];
    Node *m, **list;
    Func *g;
    Term *t;
    Bind *env;
    size_t i, rest;

    if (f.fn == NULL) {
        if (f.node->type != ANY)
            return known(raise(KIND));
        list = arena_get(&nodes, n * sizeof(Node *));
        for (i = 0; i < n; i++)
            list[i] = value_of(args[i]);
        m = new_node(ANY, f.node, NULL, NULL);
        with_list(m, list, n);
        return known(of_val(m, apply_val));
    }
    g = f.fn;
    t = g->fn;
    rest = t->arity - g->n;
    expand(g);
    if (n < rest || t->kind == T_FN) {
        env = g->env;
        k = known_func(t, env);
        *k.fn = *g;
        for (i = 0; i < n && i < rest; i++)
            if (t->kind == T_FN)
                env = bind(env, t->name + g->n + i, args[i]);
            else
                k.fn->args[g->n + i] = args[i];
        k.fn->env = env;
        k.fn->n += n;
        if (n < rest)
            return k;
        k.fn->n = t->arity;
        if (g->fresh || (C.made < C.limit && C.inlined < MAXINLINE &&
                         C.level < MAXCOMP)) {
            C.inlined++;
            k = comp(t->item[0], env);
            C.inlined--;
        } else {                                /* out of line */
            m = value_of(k);
            m->val = call_val;
            k = known(m);
        }
    } else {
        for (i = 0; i < t->arity; i++)
            given[i] = i < g->n ? g->args[i] : args[i - g->n];
        k = known(primitive((int)t->name, given));
    }
    if (n == rest)
        return k;
    args += rest;                               /* 5.3, last sentence */
    n -= rest;
    m = k.node;
    if (k.fn != NULL) {
        k.node = NULL;
        k = apply_known(k, args, n);
        if (m != NULL)
            k.node = k.node == NULL ? m : seq(m, k.node);
        return k;
    }
    if (m->type != ANY)
        return known(seq(m, raise(KIND)));
    return apply_known(k, args, n);
}

static int is_loop(const Term *t)
{
    return t->kind == T_PRIM && (t->name == P_ARRAY || t->name == P_FOLD ||
                                 t->name == P_SCAN);
}

/*
 * application(t, env) compiles an application (5.3, 5.4).
 */
static Known application(Term *t, Bind *env)
{
    Term *head = t->item[0];
    Known h, r, *args;
    Node **step;                /* what is evaluated first */
    int *slot, *own, top = C.top, may, direct = 0;
    size_t i, n = t->n - 1, rest = 0, steps = 0;

    args = arena_get(&nodes, n * sizeof(Known));
    step = arena_get(&nodes, (n + 1) * sizeof(Node *));
    slot = arena_get(&nodes, (n + 1) * sizeof(int));
    own = arena_get(&nodes, n * sizeof(int));
    h = comp(head, env);
    may = h.fn != NULL && (head->kind == T_GLOBAL || head->kind == T_PRIM ||
                           head->kind == T_FN);
    if (h.fn != NULL) {
        rest = h.fn->fn->arity - h.fn->n;
        if (h.node != NULL) {
            slot[steps] = -1;
            step[steps++] = h.node;
        }
        h.node = NULL;
        direct = h.fn->fn->kind == T_PRIM && rest == n;
    } else if (!is_trivial(h.node)) {
        slot[steps] = new_slot();
        step[steps++] = h.node;
        h.node = bound_slot(slot[0], h.node);
    }
    for (i = 0; i < n; i++) {
        args[i] = comp(t->item[i + 1], env);
        if (!may || i >= rest)
            args[i] = known(element_of(args[i]));               /* 5.4 */
        own[i] = args[i].fn == NULL && !is_trivial(args[i].node) ? new_slot() : -1;
        if (args[i].fn != NULL ? args[i].node != NULL :
                own[i] >= 0 && i + 1 == n && direct && is_loop(h.fn->fn))
            direct = 0;
    }
    for (i = 0; i < n && !direct; i++) {
        if (args[i].fn == NULL && own[i] < 0)
            continue;
        if (args[i].node != NULL) {
            slot[steps] = own[i];
            step[steps++] = args[i].node;
        }
        args[i].node = own[i] < 0 ? NULL : bound_slot(own[i], args[i].node);
    }
    r = apply_known(h, args, n);
    while (steps-- > 0)
        if (slot[steps] < 0)
            r.node = r.node == NULL ? step[steps] : seq(step[steps], r.node);
        else if (r.fn == NULL)
            r.node = let(slot[steps], step[steps], r.node);
        else {
            Node *s = new_node(NUMBERS, step[steps], NULL, NULL);
            s->slot = slot[steps];
            of_num(s, set_num);
            r.node = r.node == NULL ? s : seq(s, r.node);
        }
    if (r.fn == NULL)
        C.top = top;
    return r;
}

/*
 * comp(t, env) compiles a term, with env giving the parameters in scope.
 */
static Known comp(Term *t, Bind *env)
{
    Known k, l;
    Node *n, *m, **list;
    Obj *o;
    size_t i;
    int top = C.top, slot;

    C.level++;
    switch (t->kind) {
    case T_NUM:
        k = known(constant(t->num));
        break;
    case T_LOCAL:
        while (env->name != t->name)
            env = env->up;
        k = env->known;
        break;
    case T_GLOBAL:
        if (globals[t->name - FIRST_NEW].state != READY)
            k = known(raise(MISSING));                          /* 4.5 */
        else
            k = known_value(globals[t->name - FIRST_NEW].v);
        break;
    case T_PRIM:
        k = known_func(t, NULL);
        break;
    case T_FN:
        k = known_func(t, env);
        k.fn->fresh = 1;
        break;
    case T_APP:
        k = application(t, env);
        break;
    case T_IF:                                                  /* 5.5 */
        n = element_of(comp(t->item[0], env));
        C.top = top;
        k = comp(t->item[1], env);
        if (k.fn == NULL)
            C.top = top;
        l = comp(t->item[2], env);
        if (l.fn == NULL)
            C.top = top;
        k.node = value_of(k);
        l.node = value_of(l);
        m = new_node(k.node->type > l.node->type ? k.node->type :
                     l.node->type, n, k.node, l.node);
        k = known(of_both(m, if_val, n->truth ? if_truth_num : if_num));
        if (n->truth && m->type != NUMBERS)
            m->val = if_truth_val;
        C.top = top;
        break;
    case T_AT:                                                  /* 5.6 */
        n = element_of(comp(t->item[0], env));
        slot = is_trivial(n) ? n->slot : new_slot();
        list = arena_get(&nodes, (t->n - 1) * sizeof(Node *));
        for (i = 1; i < t->n; i++)
            list[i - 1] = element_of(comp(t->item[i], env));
        if (n->type == NUMBERS)
            k = known(seq(n, seq(list[0], raise(KIND))));
        else {
            m = lookup(is_trivial(n) ? n : bound_slot(slot, n), list, t->n - 1);
            k = known(is_trivial(n) ? m : let(slot, n, m));
        }
        C.top = top;
        break;
    case T_LIST:                                                /* 5.7 */
        list = arena_get(&nodes, t->n * sizeof(Node *));
        for (i = 0; i < t->n; i++) {
            list[i] = element_of(comp(t->item[i], env));
            C.top = top;
        }
        n = new_node(ELEMENTS, NULL, NULL, NULL);
        with_list(n, list, t->n);
        k = known(of_val(n, list_val));
        break;
    default:                                                    /* 5.7 */
        o = new_obj(BITS, 0, 1);
        o->n = t->n;
        o->u.bits = t->bits;
        o->shift = t->shift;
        k = known_value(object(o));
    }
    if (k.fn == NULL && C.loop > 0)
        k.node = remembered(k.node);
    C.level--;
    return k;
}

/*
 * compile(t, fun) compiles a whole statement, or with fun set, a function to
 * be called out of line.
 */
static Code *compile(Term *t, int fun)
{
    Code *c = arena_get(&nodes, sizeof(Code));
    Bind *env = NULL;
    Known k, args[3];
    Node *n;
    size_t i;

    memset(c, 0, sizeof(Code));
    C.top = C.max = 0;
    C.made = 0;
    C.limit = fun ? NODES_CALL : NODES_TOP;
    if (C.limit > nodes_left)
        C.limit = nodes_left;
    if ((size_t)C.limit > (memory - memory_used) / 2000)
        C.limit = (long)((memory - memory_used) / 2000);
    C.inlined = C.level = C.retries = 0;
    C.loop = 0;
    C.cells = 0;
    C.celled = NULL;
    C.consts = NULL;
    C.nconsts = C.room = 0;
    if (!fun)
        k = comp(t, NULL);
    else if (t->kind == T_PRIM) {
        for (i = 0; i < t->arity; i++)
            args[i] = known(slot_node(new_slot(), ANY, 0));
        k = apply_known(known_func(t, NULL), args, t->arity);
    } else {
        find_frees(t);
        for (i = 0; i < t->frees + t->arity; i++)
            env = bind(env, i < t->frees ? t->freelist[i] :
                       t->name + (i - t->frees),
                       known(slot_node(new_slot(), ANY, 0)));
        k = comp(t->item[0], env);
    }
    c->body = value_of(k);
    nodes_left -= C.made;
    c->slots = (size_t)C.max;
    c->cells = C.cells;
    for (n = C.celled; n != NULL; n = n->next)
        n->cell = c->slots * sizeof(Value) + n->cell * sizeof(Cell);
    c->consts = C.consts;
    c->nconsts = C.nconsts;
    c->fn = fun ? t : NULL;
    if (fun)
        t->code = c;
    c->next = codes;
    codes = c;
    return c;
}

/* ----------------------------------------------------------- statements -- */

/*
 * evaluate(t, v) sets *v to the value of a term, or gives an error.
 */
static int evaluate(Term *t, Value *v)
{
    int e = setjmp(trap);

    if (e != OK)
        return e;
    depth = 0;
    nodes_left = 2 * NODES_TOP;
    *v = run(compile(t, 0), NULL, 0, NULL, 0);
    return OK;
}

/*
 * forget_codes(keep) frees what was compiled for a statement; with keep set,
 * its objects that are still referred to become permanent.
 */
static void forget_codes(int keep)
{
    Code *c;

    for (c = codes; c != NULL; c = c->next) {
        if (c->fn != NULL)
            c->fn->code = NULL;
        if (keep)
            release(c->spare);
    }
    codes = NULL;
    arena_free(&nodes);
    end_objects(keep);
}

/*
 * read_statement(t, is_def) is statement(), but gives errors as its value.
 */
static int read_statement(Term **t, int *is_def)
{
    int e = setjmp(trap);

    if (e == OK)
        *t = statement(is_def);
    return e;
}

/*
 * define() evaluates the definition that is waiting as number g and gives its
 * verdict.
 */
static int define(size_t g)
{
    Global *d = &globals[g];
    Value v = number(0);
    int e = d->term == NULL ? OVER : evaluate(d->term, &v);

    d->state = e == OK ? READY : FAILED;
    d->v = v;
    forget_codes(e == OK);
    if (!is_func(v))
        arena_free(&d->arena);
    return e;
}

/*
 * add_global(t) makes room for the definition just read, whose term is t.
 */
static int add_global(Term *t)
{
    size_t more = room_globals == 0 ? 64 : 2 * room_globals;
    size_t n = defined - FIRST_NEW;
    Global *g;

    if (n > room_globals) {
        if (setjmp(trap) != OK)
            return 0;
        globals = take(globals, room_globals * sizeof(Global),
                       more * sizeof(Global));
        room_globals = more;
    }
    g = &globals[n - 1];
    memset(g, 0, sizeof(Global));
    g->term = t;
    g->arena = terms;
    terms = NULL;
    return 1;
}

/*
 * want(t) marks the definitions that a term uses (10.2).
 */
static void want(const Term *t)
{
    size_t i;

    if (t->kind == T_GLOBAL)
        globals[t->name - FIRST_NEW].wanted = 1;
    if (t->kind != T_BITS)
        for (i = 0; i < t->n; i++)
            want(t->item[i]);
}

/*
 * prepare(t) evaluates the definitions that t uses, itself or through others
 * (10.2).  They only refer to earlier ones.
 */
static void prepare(const Term *t, size_t n)
{
    size_t i;

    if (t == NULL)
        return;
    want(t);
    for (i = n; i-- > 0; )
        if (globals[i].wanted && globals[i].state == WAITING &&
                globals[i].term != NULL)
            want(globals[i].term);
    for (i = 0; i < n; i++) {
        if (globals[i].wanted && globals[i].state == WAITING && !time_is_up)
            define(i);
        globals[i].wanted = 0;
    }
}

/*
 * write_value(v) writes a value (10.3).
 */
static void write_value(Value v)
{
    size_t i;

    if (v.o == NULL)
        printf("%016llx", v.d != v.d ? 0x7ff8000000000000ULL :
               (unsigned long long)to_bits(v.d));
    else if (v.o->kind == FUNC)
        printf("function");
    else {
        putchar('[');
        for (i = 0; i < v.o->n; i++) {
            if (i > 0)
                putchar(' ');
            write_value(element(v.o, i));
        }
        putchar(']');
    }
}

enum { JUDGE, READ, ANSWER };

/*
 * receive(s, mode, bad) goes through the statements of s: judges them all,
 * or only reads them, or judges them as a question (10.1, 10.2).  Gives
 * 1 unless an error has ended the reading, and sets *bad for the exit status.
 */
static int receive(Source *s, int mode, int *bad)
{
    size_t i = 0;
    Term *t = NULL;
    Value v;
    int e = OK, is_def = 0;

    src = s;
    while (!at_end() && !time_is_up) {                          /* 4.3 */
        e = read_statement(&t, &is_def);
        if (e == OK && is_def && !add_global(t)) {
            defined--;          /* no memory for a single name more */
            e = time_is_up = OVER;
        }
        if (mode == READ && e == OK) {
            if (!is_def)
                arena_free(&terms);
            i++;
            continue;
        }
        v = number(0);
        if (e == OK) {
            if (mode == ANSWER)
                prepare(t, defined - FIRST_NEW - (size_t)is_def);
            e = time_is_up ? OVER : is_def ? define(defined - FIRST_NEW - 1) :
                t == NULL ? OVER : evaluate(t, &v);
            printf("%lu ", (unsigned long)i);
            if (e != OK)
                printf("%s", verdict[e]);
            else if (is_def)
                printf("defined");
            else if (mode == ANSWER) {
                printf("value ");
                write_value(v);
            } else {
                e = v.o == NULL && v.d == 1 ? OK : 1;           /* 4.4 */
                printf("%s", e == OK ? "true" : "false");
            }
            printf("\n");
            fflush(stdout);
            if (!is_def) {
                forget_codes(0);
                arena_free(&terms);
            }
            if (e != OK)
                *bad = 1;
            e = OK;
            i++;
        } else {
            printf("%lu %s\n", (unsigned long)i++, verdict[e]);
            *bad = 1;
            arena_free(&terms);
            break;                                              /* 4.5 */
        }
    }
    if (mode != READ || e != OK)
        printf("end %lu\n", (unsigned long)i);
    return e == OK;
}

/*
 * load(s, name) reads a file, or standard input if the name is "-"; gives 0
 * if that cannot be done.
 */
static int load(Source *s, const char *name)
{
    FILE *f = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    size_t n = 0, got, more;
    unsigned char *p;

    if (f == NULL)
        return 0;
    s->at = s->bits = s->bytes = 0;
    s->data = NULL;
    do {
        if (n == s->bytes) {
            more = s->bytes == 0 ? 65536 : 2 * s->bytes;
            p = more - s->bytes > memory - memory_used ? NULL :
                realloc(s->data, more);
            if (p == NULL)
                break;
            memory_used += more - s->bytes;
            s->data = p;
            s->bytes = more;
        }
        got = fread(s->data + n, 1, s->bytes - n, f);
        n += got;
    } while (got > 0);
    got = n < s->bytes && !ferror(f);
    if (f != stdin)
        fclose(f);
    s->bits = 8 * n;
    return got != 0;
}

int main(int argc, char **argv)
{
    static const struct { char name, arity; } table[] = {       /* 3.1 */
        { P_EQUAL, 2 }, { P_LESS, 2 }, { P_ADD, 2 }, { P_SUB, 2 },
        { P_MUL, 2 }, { P_DIV, 2 }, { P_FLOOR, 1 }, { P_POW2, 1 },
        { P_EXPONENT, 1 }, { P_ROUND, 2 }, { P_ARRAY, 2 }, { P_LENGTH, 1 },
        { P_FOLD, 3 }, { P_SCAN, 3 }
    };
    static Source message, question;
    Source *s = &message;
    double megabytes = 4096, *option;
    char *end;
    int i, files = 0, dashes = 0, status = 0, can = 1;
    size_t g;

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
        } else if (argv[i][0] == '-' && argv[i][1] == '-')
            can = 0;
        else {
            dashes += strcmp(argv[i], "-") == 0;
            can = ++files <= 2 && dashes <= 1;                  /* 10.1 */
        }
    }
    memory = megabytes < 1e12 ? (size_t)(megabytes * 1048576) : SIZE_MAX / 4;
    files = can ? files : 0;
    can = files > 0;
    for (i = 1, files = 0; i < argc && can; i++)
        if (argv[i][0] == '-' && argv[i][1] == '-')
            i++;
        else {
            s = files++ == 0 ? &message : &question;
            can = load(s, argv[i]);
        }
    if (can) {
        for (i = 0; i < (int)(sizeof table / sizeof table[0]); i++) {
            prims[(int)table[i].name].kind = T_PRIM;
            prims[(int)table[i].name].name = (size_t)table[i].name;
            prims[(int)table[i].name].arity = (size_t)table[i].arity;
        }
        defined = FIRST_NEW;
        if (files == 1)
            receive(&message, JUDGE, &status);
        else if (receive(&message, READ, &status))
            receive(&question, ANSWER, &status);
    } else {
        fprintf(stderr, "usage: receiver [--seconds S] [--megabytes M] "
                "MESSAGE [QUESTION]\n");
        status = 2;
    }
    for (g = 0; g < room_globals && g + FIRST_NEW < defined; g++)
        arena_free(&globals[g].arena);
    end_objects(1);
    young.next = old.next;      /* all objects there are, to be freed */
    if (young.next == &old)
        young.next = &young;
    else
        old.prev->next = &young;
    end_objects(0);
    arena_free(&lists);
    give(items, room_items * sizeof(Term *));
    give(globals, room_globals * sizeof(Global));
    give(message.data, message.bytes);
    give(question.data, question.bytes);
    return status;
}
