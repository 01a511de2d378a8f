/*
 * The ledger's rules, one inline for each statement of sql/queries that changes what a chunk is.
 *
 * Each inline is used inside one step: a statement of PostgreSQL is atomic, and between two of them anything may happen.
 */

/*
 * Rules that the environment's BREAK takes away, one at a time: test_model.py sees that each of them is missed.
 */
#define RELEASE_ACKED 1             /* a chunk is released that was acked, not confirmed */
#define RELEASE_DOUBTED 2           /* a chunk is released that a sweep or an ack did not find since */
#define CONFIRM_ANY_GENERATION 3    /* a sweep confirms a chunk that was acked again after it had read the ledger */
#define CONFIRM_OVER_DOUBT 4        /* a sweep confirms a chunk that was doubted while it was under way */
#define FORGET_ANY_DOUBT 5          /* a sweep forgets doubts that are younger than its look, without last_seen_at */
#define ACK_CONFIRMS_DOUBTED 6      /* a repeated ack leaves a doubted chunk confirmed */
#define DOUBT_OF_GENERATION_READ 7  /* a doubt counts only where the chunk was not acked again since the look began */
#define REFUSED_TICKET_NO_DOUBT 8   /* a ticket that an ack made void leaves no doubt behind */
#define ACK_LEAVES_TICKET 9         /* an ack does not close the ticket */
#define ACK_AFTER_DELETION 10       /* an ack does not ask whether the recording is alive */
#define TICKET_TWICE 11             /* a ticket is opened beside an open one */
#define SIGHTING_NEVER_AGES 12      /* every sighting is the first */
#define NO_OVERWRITE 13             /* a verdict that something else is in the way has no consequence */
#define LOST_FOR_EVER 14            /* who holds what is lost is not asked for it */
#define OLD_ANSWERS 15              /* a recorder acts on answers that it does not wait for any more */

c_decl {
    int broken(void);
}
c_code {
    int broken(void)
    {
        static int rule = -1;
        if (rule < 0) rule = getenv("BREAK") ? atoi(getenv("BREAK")) : 0;
        return rule;
    }
}
#define BROKEN(rule) c_expr { (broken() == rule) }

mtype:chunk = { none, granted, acked, confirmed, missing, lost };
mtype:content = { absent, good, bad };
mtype:copy = { unrecorded, held, dropped, evicted, emptied };
mtype:life = { alive, deleting, deleted };
mtype:permit = { no_url, once, overwriting };

/* Who looks at the bucket: sweeps first, then acks that are under way. */
#define LOOKERS (SWEEPS + ACKS)

/* The ledger. */
mtype:life recording = alive;
mtype:chunk state = none;
bool may_overwrite;
byte open_tickets;
bool holding[HOLDERS];          /* what each recorder said last */
bool said_gone[HOLDERS];        /* of the open ticket */
/*
 * A sighting, with its two times as far as sweeps compare them with their own start: a flag is true where the time is earlier.
 * False wherever there is no sighting, or no sweep.
 */
bool sighted;
bool first_before[SWEEPS];      /* seen_at < started_at */
bool last_before[SWEEPS];       /* last_seen_at < started_at */
/* Whether the chunk's generation still is the one that this looker read. */
bool same_generation[LOOKERS];

/* The bucket. `epoch` counts the changes of what lies under the chunk's key. */
mtype:content object = absent;
bool older_version;             /* a good one, under a delete marker or under what is bad */
byte epoch;

/* What nobody in the system knows: for the invariants alone. */
byte good_epochs;               /* bit n: in epoch n the object was there, and right */
byte known_epoch;               /* of the newest look whose result a sweep or an ack has acted on */
bool proven;                    /* the newest ack was followed by a sweep that read the ledger, listed, and saw it by HEAD */
bool asked_again[HOLDERS];       /* this recorder has acted on a ticket, and nothing was proven since it was opened */
bool harmed;                    /* some fault took bytes away */

#define was_good(at) ((good_epochs >> (at)) & 1)
#define in_ledger (state == acked || state == confirmed)

inline becomes(what) {
    if
    :: object != what && recording == alive ->
        epoch++;
        assert(epoch < 8);
        good_epochs = good_epochs | ((what == good) << epoch)
    :: else
    fi;
    object = what;
    older_version = older_version && what != good
}

inline learn(at) {
    known_epoch = (at > known_epoch -> at : known_epoch)
}

/* A new generation: whatever sweeps and acks under way have read is out of date. */
inline new_generation() {
    for (i : 0 .. LOOKERS - 1) { same_generation[i] = false }
}

inline forget_sighting() {
    for (i : 0 .. SWEEPS - 1) { first_before[i] = false; last_before[i] = false }
    sighted = false
}

inline record_sighting() {
    for (i : 0 .. SWEEPS - 1) { first_before[i] = sighted && first_before[i]; last_before[i] = false }
    sighted = true
}

inline close_ticket() {
    for (i : 0 .. HOLDERS - 1) { said_gone[i] = false }
    open_tickets = 0
}

inline open_ticket() {
    for (i : 0 .. HOLDERS - 1) { said_gone[i] = false }
    open_tickets = (BROKEN(TICKET_TWICE) -> open_tickets + 1 : 1);
    state = missing
}

/* Acked by a recorder, or found to be there by a sweep: adopted, returned, healed. */
inline ack_anew() {
    assert(recording == alive);
    state = acked;
    may_overwrite = false;
    proven = false;
    new_generation();
    forget_sighting()
}

/* chunks_ack: what is already confirmed stays so, unless it is doubted. */
inline commit_ack() {
    if
    :: state != none && (recording == alive || BROKEN(ACK_AFTER_DELETION)) ->
        if
        :: state == confirmed && !sighted -> new_generation()
        :: state == confirmed && sighted && BROKEN(ACK_CONFIRMS_DOUBTED) -> forget_sighting()
        :: else -> ack_anew()
        fi;
        if
        :: BROKEN(ACK_LEAVES_TICKET)
        :: else -> close_ticket()
        fi
    :: else
    fi
}

#define READ_BY_CONFIRM(me) (same_generation[me] || BROKEN(CONFIRM_ANY_GENERATION))
#define NOT_DOUBTED_SINCE(me) (!sighted || last_before[me] || BROKEN(CONFIRM_OVER_DOUBT))

/* confirm_apply */
inline confirm_chunk(me, listed_at, seen_at) {
    if
    :: recording == alive && state == acked && READ_BY_CONFIRM(me) && NOT_DOUBTED_SINCE(me) ->
        state = confirmed;
        forget_sighting();
        proven = same_generation[me] && was_good(listed_at) && was_good(seen_at);
        for (i : 0 .. HOLDERS - 1) { asked_again[i] = asked_again[i] && !proven }
    :: else
    fi;
    learn(seen_at)
}

/* sightings_record: of a chunk that counts as safe by now, whatever was read of it before the look. */
inline doubt(me, seen_at) {
    if
    :: in_ledger && (same_generation[me] || !BROKEN(DOUBT_OF_GENERATION_READ)) -> record_sighting()
    :: else
    fi;
    learn(seen_at)
}

/* chunks_allow_overwrite. Where nothing is ever in the way, a PUT that overwrites is like any other: one kind is enough. */
inline allow_overwrite() {
    may_overwrite = CORRUPTIONS > 0 && (may_overwrite || state == granted || state == missing || state == lost)
}

/* sightings_forget and audit_cleared */
inline forget_before(me, seen_at) {
    if
    :: sighted && (last_before[me] || BROKEN(FORGET_ANY_DOUBT)) -> forget_sighting()
    :: else
    fi;
    learn(seen_at)
}

#define MAY_BE_ASKED_FOR (in_ledger || (state == missing && BROKEN(TICKET_TWICE)))

/* tickets_open */
inline ticket(me, shown, seen_at) {
    if
    :: recording == alive && same_generation[me] && MAY_BE_ASKED_FOR ->
        open_ticket();
        may_overwrite = (shown == bad);
        proven = false;
        forget_sighting();
        learn(seen_at)
    :: else -> /* what was seen is a doubt all the same: the next statement */
        if
        :: BROKEN(REFUSED_TICKET_NO_DOUBT) -> learn(seen_at)
        :: else -> doubt(me, seen_at)
        fi
    fi
}

/* chunks_returned, and the same for what was granted and never acked (adoption), or restored from an older version (healing). */
inline take_back(me, from_ledger) {
    if
    :: recording == alive && same_generation[me] && (from_ledger) ->
        ack_anew();
        close_ticket()
    :: else
    fi
}

/* beat_record and beat_holdings; a holding that covers what is missing or lost asks for it again. */
inline record_beat(who, says, says_gone) {
    holding[who] = (says) && recording == alive;
    said_gone[who] = said_gone[who] || ((says_gone) && open_tickets > 0);
    if
    :: holding[who] && state == lost && !BROKEN(LOST_FOR_EVER) -> open_ticket()
    :: else
    fi
}

/* Every known holder is gone or silent. */
inline give_up() {
    close_ticket();
    state = lost
}

/* deletion_begin */
inline begin_deletion() {
    close_ticket();
    recording = deleting
}

/* What must hold at every moment. */
#define ONE_TICKET (open_tickets <= 1)
#define TICKET_IFF_MISSING ((state == missing && recording == alive) == (open_tickets > 0))
#define NOTHING_OF_DELETED (recording != deleted || state == none)
