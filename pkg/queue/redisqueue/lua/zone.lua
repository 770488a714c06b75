-- zone: write a zone back that was lost from the list of zones.
--
-- KEYS[1] zones  HASH  zone -> version partitions
-- ARGV[1] zone
-- ARGV[2] version
-- ARGV[3] partitions
-- Returns 1 when it was written, 0 when the list has a newer version.

local zones = KEYS[1]
local wrong = wrong_type(zones, 'hash')
if wrong then return wrong end
local have = redis.call('HGET', zones, ARGV[1])
local version = have and match(have, '^(%d+) ') or '0'
if tonumber(version) > tonumber(ARGV[2]) then return 0 end
removing(zones)
redis.call('HSET', zones, ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
return 1
