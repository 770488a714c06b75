-- settle: acknowledge changes that a handler has got, or that are none of its.
--
-- KEYS[1] deliver    STRING  token of the worker that delivers
-- KEYS[2] changes    STREAM  entries {event}, {event, for}
-- KEYS[3] incidents  HASH    incident id -> incident, <id>/<handler> -> the handler's own id of it
-- ARGV[1] token
-- ARGV[2] handler    the group has its name
-- ARGV[3] incident   id of the one whose change the handler got, empty for none
-- ARGV[4] ref        the handler's own id of it; empty keeps the one that is there
-- ARGV[5...] ids of entries
-- Returns 1, or 0 when the right is another's: nothing was written.

local deliver, changes, incidents = KEYS[1], KEYS[2], KEYS[3]
local wrong = wrong_type(deliver, 'string', changes, 'stream', incidents, 'hash')
if wrong then return wrong end
if redis.call('GET', deliver) ~= ARGV[1] then return 0 end

redis.call('XACK', changes, ARGV[2], unpack(ARGV, 5))
if ARGV[3] ~= '' and redis.call('HEXISTS', incidents, ARGV[3]) == 1 then
  redis.call(ARGV[4] == '' and 'HSETNX' or 'HSET', incidents, ARGV[3] .. '/' .. ARGV[2], ARGV[4])
end
return 1
