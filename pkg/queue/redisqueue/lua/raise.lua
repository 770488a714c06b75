-- raise: write an incident that no run of a check stands behind.
--
-- KEYS[1] incidents  HASH    incident id -> incident
-- KEYS[2] changes    STREAM  entries {event}
-- ARGV[1] id         incident id
-- ARGV[2] was        the text that the caller knows, empty for a new incident; another one is a conflict,
--                    none is not: it was lost
-- ARGV[3] incident   the new text
-- ARGV[4] change     event for changes
-- ARGV[5] keep       changes kept, about
-- Returns changed, unchanged or conflict.

local incidents, changes = KEYS[1], KEYS[2]
local wrong = wrong_type(incidents, 'hash', changes, 'stream')
if wrong then return wrong end

local have = redis.call('HGET', incidents, ARGV[1]) or ''
if have == ARGV[3] then return 'unchanged' end
if have ~= ARGV[2] and have ~= '' then return 'conflict' end
removing(incidents)
redis.call('HSET', incidents, ARGV[1], ARGV[3])
redis.call('XADD', changes, 'MAXLEN', '~', ARGV[5], '*', 'event', ARGV[4])
return 'changed'
