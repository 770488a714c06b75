-- zone: write what is known of a zone into the list of zones.
--
-- KEYS[1] zones  HASH  zone -> version partitions, zone/lanes -> lanes
-- ARGV[1] zone
-- ARGV[2] version
-- ARGV[3] partitions  0: the zone is deleted
-- ARGV[4] lanes       that may hold checks while these move, 0: none moves
-- ARGV[5] change      1: only in the place of an older version
-- Returns 1 when it was written, 0 when the list has a newer version, or with
-- change this one.

local zones = KEYS[1]
local wrong = wrong_type(zones, 'hash')
if wrong then return wrong end
local have = redis.call('HGET', zones, ARGV[1])
local version = have and tonumber(match(have, '^(%d+) ') or '0')
if version and version > tonumber(ARGV[2]) - tonumber(ARGV[5]) then return 0 end
redis.call('HDEL', zones, ARGV[1] .. '/lanes')
redis.call('HSET', zones, ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
if ARGV[4] ~= '0' then redis.call('HSET', zones, ARGV[1] .. '/lanes', ARGV[4]) end
return 1
