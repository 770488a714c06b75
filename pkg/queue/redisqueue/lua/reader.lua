-- reader: make a handler's consumer group of changes, if it is not there.
--
-- KEYS[1] readers  HASH    handler -> how many changes were read for it, or missed
-- KEYS[2] changes  STREAM  entries {event}, {event, for}
-- ARGV[1] handler  the group has its name
-- ARGV[2] known    1: the caller has seen the group before
-- Returns there, new (it begins with what comes next) or lost (it begins at 0).

local readers, changes = KEYS[1], KEYS[2]
local wrong = wrong_type(readers, 'hash', changes, 'stream')
if wrong then return wrong end

local noted = redis.call('HEXISTS', readers, ARGV[1]) == 1
local known = noted or ARGV[2] == '1'
removing(readers)
local made = redis.pcall('XGROUP', 'CREATE', changes, ARGV[1], known and '0' or '$', 'MKSTREAM')
if made.err then
  if not find(made.err, 'BUSYGROUP', 1, true) then return made end
  if not noted then redis.call('HSET', readers, ARGV[1], '-') end
  return 'there'
end
local added, length = stream_figures(changes)
redis.call('HSET', readers, ARGV[1], added and int(known and added - length or added) or '-')
return known and 'lost' or 'new'
