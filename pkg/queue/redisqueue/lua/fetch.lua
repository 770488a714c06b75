-- fetch: read changes for a handler, if the caller has the right to deliver them.
--
-- KEYS[1] deliver   STRING  token of the worker that delivers
-- KEYS[2] changes   STREAM  entries {event}, {event, for}
-- KEYS[3] readers   HASH    handler -> how many changes were read for it, or missed
-- ARGV[1] token
-- ARGV[2] handler   the group has its name
-- ARGV[3] consumer
-- ARGV[4] after     > for new entries, or an id: those behind it that were read and not settled
-- ARGV[5] count     0: none, only the figures
-- Returns {mine, now, left, trimmed, entries}; mine alone when it is 0. left is -1 where
-- the server cannot tell, trimmed counts entries that were gone before they were read.

local deliver, changes, readers = KEYS[1], KEYS[2], KEYS[3]
local wrong = wrong_type(deliver, 'string', changes, 'stream', readers, 'hash')
if wrong then return wrong end
if redis.call('GET', deliver) ~= ARGV[1] then return { 0 } end

local now, handler, count = server_ms(), ARGV[2], tonumber(ARGV[5])
local entries = {}
if count > 0 then
  local found = redis.call('XREADGROUP', 'GROUP', handler, ARGV[3], 'COUNT', count, 'STREAMS', changes, ARGV[4])
  entries = found and found[1] and found[1][2] or {}
end
local added, length = stream_figures(changes)
if not added then return { 1, now, -1, 0, entries } end

-- Where the group is, counted from the first entry that there ever was.
local place, gone, trimmed = tonumber(redis.call('HGET', readers, handler) or ''), added - length, 0
local was = place
if not place or place > added then place = gone end
if gone > place then
  trimmed = was and gone - place or 0
  place = gone
end
if ARGV[4] == '>' and count > 0 then
  place = #entries < count and added or place + #entries
end
if place ~= was and count > 0 then
  redis.call('HDEL', readers, '(none)')
  redis.call('HSET', readers, handler, int(place))
end
return { 1, now, added - place, count > 0 and trimmed or 0, entries }
