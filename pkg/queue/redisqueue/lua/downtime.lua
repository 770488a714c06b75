-- downtime: write a downtime, or take one out.
--
-- KEYS[1] downtimes  HASH  downtime id -> downtime
-- ARGV[1] id
-- ARGV[2] old   the text that the caller read, empty for none; another one is a conflict
-- ARGV[3] text  the one that follows; empty: it is taken out
-- ARGV[4] most  how many there may be
-- Returns changed, unchanged, conflict or full.

local downtimes = KEYS[1]
local wrong = wrong_type(downtimes, 'hash')
if wrong then return wrong end

local have = redis.call('HGET', downtimes, ARGV[1]) or ''
if have == ARGV[3] then return 'unchanged' end
if have ~= ARGV[2] then return 'conflict' end
if have == '' and redis.call('HLEN', downtimes) >= tonumber(ARGV[4]) then return 'full' end
redis.call('HDEL', downtimes, ARGV[1])
if ARGV[3] ~= '' then redis.call('HSET', downtimes, ARGV[1], ARGV[3]) end
return 'changed'
