-- orphan: resolve an open incident that its check knows nothing of.
--
-- KEYS[1] runs       HASH    check id -> run record
-- KEYS[2] last       HASH    check id -> last record
-- KEYS[3] incidents  HASH    incident id -> incident
-- KEYS[4] changes    STREAM  entries {event}
-- ARGV[1] check      id of the check
-- ARGV[2] last       the last record that the caller read, empty for none; another
--                    one is a conflict
-- ARGV[3] id         incident id
-- ARGV[4] incident   the text that the caller read; the same
-- ARGV[5] resolved   the incident that follows
-- ARGV[6] change     event for changes
-- ARGV[7] keep       changes kept, about
-- Returns changed, unchanged, missing, conflict, or busy: the check runs, and its
-- worker may know the incident from before, or it is in another lane or on its
-- way there.

local runs, last, incidents, changes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local wrong = wrong_type(runs, 'hash', last, 'hash', incidents, 'hash', changes, 'stream')
if wrong then return wrong end

local have = redis.call('HGET', incidents, ARGV[3])
if not have then return 'missing' end
if have == ARGV[5] then return 'unchanged' end
if have ~= ARGV[4] or (redis.call('HGET', last, ARGV[1]) or '') ~= ARGV[2] then return 'conflict' end
local rec = redis.call('HGET', runs, ARGV[1])
if rec then
  local state, flags, planned, sid, owner, ends, crashes, rev, pos, committed = read(rec)
  if not state or state == 'l' or way(committed) then return 'busy' end
end
removing(incidents)
redis.call('HSET', incidents, ARGV[3], ARGV[5])
redis.call('XADD', changes, 'MAXLEN', '~', ARGV[7], '*', 'event', ARGV[6])
return 'changed'
