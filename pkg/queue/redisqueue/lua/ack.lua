-- ack: write who takes care of an open incident beside it.
--
-- KEYS[1] incidents  HASH    incident id -> incident, <id>/ack -> acknowledgement
-- KEYS[2] changes    STREAM  entries {event}
-- KEYS[3] runs       HASH    check id -> run record
-- ARGV[1] id         incident id
-- ARGV[2] incident   the text that the caller read; another one is a conflict
-- ARGV[3] old        the acknowledgement that the caller read, empty for none; the same
-- ARGV[4] ack        the acknowledgement that follows
-- ARGV[5] change     event for changes
-- ARGV[6] keep       changes kept, about
-- ARGV[7] check      whose incident it is
-- Returns changed, unchanged, missing, conflict, or moved: the check is in
-- another lane or on its way there.

local incidents, changes, runs = KEYS[1], KEYS[2], KEYS[3]
local wrong = wrong_type(incidents, 'hash', changes, 'stream', runs, 'hash')
if wrong then return wrong end

local rec = redis.call('HGET', runs, ARGV[7])
if rec then
  local state, flags, planned, sid, owner, ends, crashes, rev, pos, committed = read(rec)
  if state and way(committed) then return 'moved' end
end
local field = ARGV[1] .. '/ack'
local have = redis.call('HGET', incidents, ARGV[1])
if not have then return 'missing' end
local ack = redis.call('HGET', incidents, field) or ''
if ack == ARGV[4] then return 'unchanged' end
if have ~= ARGV[2] or ack ~= ARGV[3] then return 'conflict' end
removing(incidents)
redis.call('HSET', incidents, field, ARGV[4])
redis.call('XADD', changes, 'MAXLEN', '~', ARGV[6], '*', 'event', ARGV[5])
return 'changed'
