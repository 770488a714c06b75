-- forget: drop a record that leads nowhere.
--
-- KEYS[1] runs    HASH  check id -> run record
-- ARGV[1] id
-- ARGV[2] record  the one that the caller read
-- Returns 1 when it was dropped, 0 when another one stands there by now.

local runs = KEYS[1]
local wrong = wrong_type(runs, 'hash')
if wrong then return wrong end
if redis.call('HGET', runs, ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', runs, ARGV[1])
