/*
 * The life of one chunk between recorders, network, bucket and ledger, for SPIN to search exhaustively.
 *
 * README.md says what is modelled, what is left out, and what is asserted; test_model.py runs it.
 */

#ifndef SWEEPS
#define SWEEPS 1        /* at once, each a confirm or an audit, one after the other without end */
#endif
#ifndef ACKS
#define ACKS 1          /* claims under way at once, of whoever, repeated without end; 0: a claim is one step */
#endif
#ifndef HOLDERS
#define HOLDERS 1       /* recorders that have the chunk: a second one is a cloned profile */
#endif
#ifndef BEATS
#define BEATS 0         /* heartbeats under way at once, the newest of each recorder and those it no longer waits for; 0: none */
#endif
/* Faults there may be in one life. */
#ifndef VANISHES
#define VANISHES 0      /* the bucket loses the object, with or without an older version */
#endif
#ifndef CORRUPTIONS
#define CORRUPTIONS 0   /* other bytes lie under the key */
#endif
#ifndef LIES
#define LIES 0          /* a listing or a HEAD that answers "absent" of what is there, although the mark was shown */
#endif
#ifndef EVICTIONS
#define EVICTIONS 0     /* a recorder loses its storage */
#endif
#ifndef RETURNS
#define RETURNS 0       /* a recorder has the bytes again: its profile was restored */
#endif
#ifndef SILENCES
#define SILENCES 0      /* recorders are silent so long that what they hold counts as lost */
#endif
#ifndef DELETIONS
#define DELETIONS 0     /* the owner deletes the recording */
#endif

hidden byte i;          /* counts in loops of one step; no part of a state */

#include "ledger.pml"

byte vanishes = VANISHES;
byte corruptions = CORRUPTIONS;
byte lies = LIES;
byte evictions = EVICTIONS;
byte returns = RETURNS;
byte silences = SILENCES;
byte deletions = DELETIONS;

mtype:copy copy[HOLDERS] = unrecorded;
bool must_say_gone[HOLDERS];
byte latest[HOLDERS];           /* the beat whose answer this recorder waits for, counted from 1; 0: none */
mtype:permit wire = no_url;     /* a PUT that may arrive, now or late, or never */
byte busy;                      /* sweeps, acks and beats under way */
bool healing;                   /* a sweep has read an older version and is about to write it */
bool ceased;                    /* no fault comes any more */

/* One listing or HEAD. What cannot be reached is no look: whoever asked ends without having decided anything. */
inline look(shown, at) {
    if
    :: shown = object
    :: object != absent && lies > 0 -> lies--; shown = absent
    fi;
    at = epoch
}

/* Numbered by SPIN in this order, so that `_pid` tells who is who: sweeps, acks, beats, recorders, then the rest. */
active [SWEEPS] proctype Sweep() provided (!ceased) {
    bool audit, expected, again;
    mtype:content listed = absent, shown = absent;
    byte listed_at, seen_at;

end:
    atomic {
        recording == alive && state != none ->
        busy++;
        first_before[_pid] = sighted;
        last_before[_pid] = sighted;
        if
        :: audit = false
        :: audit = true
        fi;
        /* what the ledger expects, as committed now */
        expected = state == acked || (audit && state == confirmed);
        same_generation[_pid] = expected
    }
    if
    :: !expected && !audit -> goto ended
    :: else
    fi;
    atomic { look(listed, listed_at) }
    if
    :: !expected && listed != absent -> goto unexpected
    :: !expected && listed == absent -> goto ended
    :: expected && audit && listed == good -> goto cleared
    :: expected && !(audit && listed == good) -> atomic { look(shown, seen_at) }
    :: goto ended /* it dies, or cannot see the bucket's mark */
    fi;
    if
    :: shown == good && !audit && listed == good -> d_step { confirm_chunk(_pid, listed_at, seen_at) }
    :: shown == good && !audit && listed != good
    :: shown == good && audit -> d_step { forget_before(_pid, seen_at) }
    :: shown != good ->
        again = first_before[_pid];
        if
        :: !again -> d_step { doubt(_pid, seen_at) }
        :: again -> d_step { ticket(_pid, shown, seen_at) }
        :: atomic { again && older_version && recording == alive && !healing -> healing = true }
           atomic {
               d_step { becomes(good); healing = false }
           }
           d_step { take_back(_pid, in_ledger) }
        fi
    :: goto ended
    fi;
    goto ended;

cleared:
    if
    :: d_step { forget_before(_pid, listed_at) }
    :: goto ended
    fi;
    goto ended;

unexpected: /* not acked when the ledger was read: granted and never acked, or given up */
    atomic {
        expected = state == granted || state == missing || state == lost;
        same_generation[_pid] = expected
    }
    if
    :: expected -> atomic { look(shown, seen_at) }
    :: !expected -> goto ended
    fi;
    if
    :: shown == good -> d_step {
        take_back(_pid, state == granted || state == missing || state == lost);
        learn(seen_at)
    }
    :: shown != good
    :: goto ended
    fi;

ended:
    atomic {
        busy--;
        audit = false; expected = false; again = false;
        listed = absent; shown = absent; listed_at = 0; seen_at = 0;
        first_before[_pid] = false; last_before[_pid] = false; same_generation[_pid] = false
    }
    goto end
}

#if ACKS > 0
active [ACKS] proctype Ack() provided (!ceased) {
    mtype:content shown = absent;
    byte seen_at;

end:
    atomic { recording == alive && state != none -> busy++; same_generation[_pid] = true }
    atomic { look(shown, seen_at) }
    if
    :: shown == good -> d_step { commit_ack(); learn(seen_at) }
    :: shown != good ->
        d_step { allow_overwrite(); doubt(_pid, seen_at) }
    :: skip
    fi;
    d_step { busy--; shown = absent; seen_at = 0; same_generation[_pid] = false }
    goto end
}

#endif

#define MAY_BE_RELEASED \
    recording == alive && \
    ((state == confirmed && !sighted) || (state == confirmed && BROKEN(RELEASE_DOUBTED)) || (in_ledger && BROKEN(RELEASE_ACKED)))
#define IS_WAITED_FOR (latest[WHO] == ME || BROKEN(OLD_ANSWERS))

#define WHO ((_pid - LOOKERS) % HOLDERS)
#define ME (_pid + 1)

#if BEATS > 0
active [BEATS] proctype Beat() provided (!ceased) {
    bool says, says_gone, asks, over, releases, discards;

end:
    atomic { /* a later beat: the answer to the one before is not waited for any more */
        copy[WHO] != unrecorded ->
        busy++;
        latest[WHO] = ME;
        says = copy[WHO] == held || copy[WHO] == evicted;
        says_gone = must_say_gone[WHO]
    }
    if
    :: d_step {
        record_beat(WHO, says, says_gone);
        discards = recording != alive;
        asks = recording == alive && says && open_tickets > 0;
        over = asks && may_overwrite
    }
    :: goto ended /* lost on its way */
    fi;
    d_step {
        releases = says && MAY_BE_RELEASED
    }
    if
    :: d_step {
        IS_WAITED_FOR ->
        must_say_gone[WHO] = must_say_gone[WHO] && !says_gone;
        if
        :: discards -> copy[WHO] = dropped
        :: else
        fi;
        if
        :: releases && copy[WHO] == held ->
            assert(!asked_again[WHO]);
            copy[WHO] = dropped
        :: releases && copy[WHO] == evicted -> copy[WHO] = emptied
        :: else
        fi;
        if
        :: asks && copy[WHO] == held ->
            asked_again[WHO] = !proven;
            wire = (over -> overwriting : once)
        :: asks && copy[WHO] != held ->
            must_say_gone[WHO] = true;
            copy[WHO] = (copy[WHO] == evicted -> emptied : copy[WHO])
        :: else
        fi
    }
    :: skip /* the answer is lost */
    fi;
ended:
    atomic {
        busy--;
        latest[WHO] = (latest[WHO] == ME -> 0 : latest[WHO]);
        says = false; says_gone = false; asks = false; over = false; releases = false; discards = false
    }
    goto end
}

#endif

#undef WHO
#define WHO (_pid - LOOKERS - BEATS)

active [HOLDERS] proctype Recorder() provided (!ceased) {
end:
    do
    :: d_step { copy[WHO] == unrecorded && recording == alive -> copy[WHO] = held }
    :: d_step { /* a grant, and its PUT on the way */
        copy[WHO] == held && recording == alive && !in_ledger ->
        state = (state == none -> granted : state);
        wire = (may_overwrite -> overwriting : once)
    }
    :: d_step { /* a grant whose answer is lost */
        copy[WHO] == held && recording == alive && state == none -> state = granted
    }
    :: must_say_gone[WHO] -> must_say_gone[WHO] = false /* it dies; an answer that it waited for is lost then */
#if ACKS == 0
    :: d_step { object == good && state != none && recording == alive -> commit_ack(); learn(epoch) }
    :: d_step { object != good && state != none && recording == alive -> allow_overwrite(); doubt(0, epoch) }
#endif
    :: d_step { evictions > 0 && copy[WHO] == held -> evictions--; harmed = true; copy[WHO] = evicted }
    :: d_step { evictions > 0 && copy[WHO] == held -> evictions--; harmed = true; copy[WHO] = emptied }
    :: d_step {
        returns > 0 && (copy[WHO] == dropped || copy[WHO] == emptied) && recording == alive ->
        returns--;
        copy[WHO] = held
    }
    od
}

active proctype Network() provided (!ceased) {
end:
    do
    :: d_step {
        (wire != no_url && object == absent) || (wire == overwriting && object == bad) ->
        becomes(good)
    }
    :: wire != no_url -> wire = no_url
    od
}

active proctype Bucket() provided (!ceased) {
end:
    do
    :: d_step { vanishes > 0 && object != absent && recording == alive -> vanishes--; harmed = true; becomes(absent) }
    :: d_step {
        vanishes > 0 && object == good && recording == alive -> vanishes--; harmed = true; becomes(absent); older_version = true
    }
    :: d_step { corruptions > 0 && object == good && recording == alive -> corruptions--; harmed = true; becomes(bad) }
    :: d_step {
        corruptions > 0 && object == good && recording == alive ->
        corruptions--; harmed = true; becomes(bad); older_version = true
    }
    od
}

inline purge() {
    becomes(absent);
    older_version = false
}

/* The purge ends when no URL lives any more and nothing of ours is being written. */
inline end_deletion() {
    for (i : 0 .. HOLDERS - 1) { holding[i] = false }
    forget_sighting();
    recording = deleted;
    state = none;
    may_overwrite = false
}

active proctype Owner() provided (!ceased) {
end:
    do
    :: d_step { deletions > 0 && recording == alive && state != none -> deletions--; begin_deletion() }
    :: d_step { recording != alive && (object != absent || older_version) -> purge() }
    :: d_step { recording == deleting && wire == no_url && !healing && object == absent && !older_version -> end_deletion() }
    od
}

#if HOLDERS == 1
#define SOMEBODY_HAS_IT (holding[0] && !said_gone[0])
#define A_COPY_IS_HELD (copy[0] == held)
#define RECORDED (copy[0] != unrecorded)
#else
#define SOMEBODY_HAS_IT ((holding[0] && !said_gone[0]) || (holding[1] && !said_gone[1]))
#define A_COPY_IS_HELD (copy[0] == held || copy[1] == held)
#define RECORDED (copy[0] != unrecorded || copy[1] != unrecorded)
#endif

active proctype Escalation() provided (!ceased) {
end:
    do
    :: d_step { open_tickets > 0 && recording == alive && !SOMEBODY_HAS_IT -> give_up() }
    :: d_step { silences > 0 && open_tickets > 0 && recording == alive && SOMEBODY_HAS_IT -> silences--; give_up() }
    od
}

/* Runs only where something is wrong: it adds no states. */
active proctype Invariants() {
end:
    do
    :: MAY_BE_RELEASED && !(proven && was_good(known_epoch)) -> assert(proven); assert(was_good(known_epoch))
    :: !ONE_TICKET -> assert(ONE_TICKET)
    :: !TICKET_IFF_MISSING -> assert(TICKET_IFF_MISSING)
    :: !NOTHING_OF_DELETED -> assert(NOTHING_OF_DELETED)
    :: RECORDED && !harmed && recording == alive && !A_COPY_IS_HELD && object != good -> assert(false) /* bytes are gone */
    od
}

#include "convergence.pml"
