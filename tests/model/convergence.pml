/*
 * From every state in which nothing is under way: faults cease, and whoever has something to do does it, one after the other.
 * Two audits find what is gone; after a few rounds everything is safe and released, or lost and said so, or deleted.
 */

hidden byte round;
hidden byte who;

inline sweep_finding() {
    if
    :: !sighted || BROKEN(SIGHTING_NEVER_AGES) -> record_sighting()
    :: else ->
        if
        :: older_version -> becomes(good); ack_anew(); close_ticket()
        :: else -> open_ticket(); may_overwrite = (object == bad); forget_sighting()
        fi
    fi
}

inline confirm_sweep() {
    if
    :: recording == alive && state == acked && object == good -> state = confirmed; proven = true; forget_sighting()
    :: recording == alive && state == acked && object != good -> sweep_finding()
    :: else
    fi
}

inline audit_sweep() {
    if
    :: recording == alive && in_ledger && object != good ->
        sweep_finding()
    :: recording == alive && in_ledger && object == good -> forget_sighting()
    :: recording == alive && (state == granted || state == missing || state == lost) && object == good ->
        ack_anew();
        close_ticket()
    :: else
    fi
}

/* Grant, PUT, ack: of what was never acked, and of what is asked for. */
inline upload(n) {
    if
    :: copy[n] == held && recording == alive && (state == none || state == granted || open_tickets > 0) ->
        state = (state == none -> granted : state);
        if
        :: object == absent || (object == bad && may_overwrite) -> becomes(good)
        :: else
        fi;
        if
        :: object == good -> commit_ack()
        :: object != good -> may_overwrite = !BROKEN(NO_OVERWRITE)
        fi
    :: else
    fi
}

inline beat(n) {
    record_beat(n, copy[n] == held || copy[n] == evicted, must_say_gone[n]);
    must_say_gone[n] = false;
    if
    :: recording != alive && copy[n] != unrecorded -> copy[n] = dropped
    :: recording == alive && open_tickets > 0 && copy[n] == evicted -> copy[n] = emptied; must_say_gone[n] = true
    :: recording == alive && state == confirmed && !sighted && copy[n] == held -> copy[n] = dropped
    :: recording == alive && state == confirmed && !sighted && copy[n] == evicted -> copy[n] = emptied
    :: else
    fi
}

inline others() {
    if
    :: open_tickets > 0 && recording == alive && !SOMEBODY_HAS_IT -> give_up()
    :: else
    fi;
    if
    :: recording != alive -> purge()
    :: else
    fi;
    if
    :: recording == deleting -> end_deletion()
    :: else
    fi
}

#define SAFE (state == confirmed && object == good && !sighted && !A_COPY_IS_HELD)
#define LOST_LOUDLY (state == lost && object != good && !A_COPY_IS_HELD)
#define NEVER_SENT ((state == granted || state == none) && object != good && !A_COPY_IS_HELD)
#define DELETED (recording == deleted && state == none && object == absent && !older_version && !A_COPY_IS_HELD)

active proctype Convergence() {
end:
    atomic {
        !ceased && busy == 0 && wire == no_url && RECORDED ->
        ceased = true;
        audit_sweep();
        audit_sweep();
        assert(recording != alive || !in_ledger || object == good);
        for (round : 1 .. 4) {
            for (who : 0 .. HOLDERS - 1) { upload(who); beat(who) }
            others();
            confirm_sweep();
            audit_sweep()
        }
        for (who : 0 .. HOLDERS - 1) { beat(who) }
        assert(open_tickets == 0);
        assert((recording == alive && (SAFE || LOST_LOUDLY || NEVER_SENT)) || DELETED);
        /* All of these ends count as one. */
        for (who : 0 .. HOLDERS - 1) { copy[who] = unrecorded; holding[who] = false; asked_again[who] = false }
        recording = alive; state = none; object = absent; older_version = false; may_overwrite = false; sighted = false;
        proven = false; known_epoch = 0; good_epochs = 0; epoch = 0;
        vanishes = 0; corruptions = 0; lies = 0; evictions = 0; returns = 0; silences = 0; deletions = 0
    }
}
