-- ack: write who takes care of an open incident beside it.
--
-- KEYS[1] incidents  HASH    incident id -> incident, <id>/ack -> acknowledgement
-- KEYS[2] changes    STREAM  entries {event}
-- KEYS[3] runs       HASH    check id -> run record
-- ARGV[1] id         incident id
-- ARGV[2] incident   the text that the caller read; another one is a conflict
-- ARGV[3] ack        the acknowledgement
-- ARGV[4] change     event for changes
-- ARGV[5] keep       changes kept, about
-- ARGV[6] check      whose incident it is
-- Returns changed, unchanged, missing, conflict, or moved: the check is in
-- another lane or on its way there.

local incidents, changes, runs = KEYS[1], KEYS[2], KEYS[3]
local wrong = wrong_type(incidents, 'hash', changes, 'stream', runs, 'hash')
if wrong then return wrong end

local rec = redis.call('HGET', runs, ARGV[6])
if rec then
  local state, flags, planned, sid, owner, ends, crashes, rev, pos, committed = read(rec)
  if state and way(committed) then return 'moved' end
end
local have = redis.call('HGET', incidents, ARGV[1])
if not have then return 'missing' end
if have ~= ARGV[2] then return 'conflict' end
if redis.call('HGET', incidents, ARGV[1] .. '/ack') == ARGV[3] then return 'unchanged' end
removing(incidents)
redis.call('HSET', incidents, ARGV[1] .. '/ack', ARGV[3])
redis.call('XADD', changes, 'MAXLEN', '~', ARGV[5], '*', 'event', ARGV[4])
return 'changed'
