-- depart: let checks go that have arrived in another lane.
--
-- KEYS[1] specs      HASH    check id -> spec
-- KEYS[2] runs       HASH    check id -> run record
-- KEYS[3] due        ZSET    check id -> due time, unix ms
-- KEYS[4] last       HASH    check id -> last record
-- KEYS[5] incidents  HASH    incident id -> incident, and what stands beside it
-- KEYS[6] changes    STREAM  entries {event}
-- ARGV[1] keep  changes kept, about
-- ARGV[2...] id, record, sha, kind, ttl, incident id, incident, change, n, and n
-- fields and values of incidents: what the caller has carried over. record is
-- the frozen one; sha the sha1 of the spec, empty for none; kind m or z, see the
-- prelude; ttl for how long the record stays, ms; the next three resolve an
-- incident, empty for none
-- Returns for each check: gone; or conflict, something here is another by now.

local specs, runs, due, last, incidents, changes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local wrong = wrong_type(specs, 'hash', runs, 'hash', due, 'zset', last, 'hash', incidents, 'hash', changes, 'stream')
if wrong then return wrong end

local now = server_ms()

local function depart(a)
  local id = ARGV[a]
  if redis.call('HGET', runs, id) ~= ARGV[a + 1] then return 'conflict' end
  local text = redis.call('HGET', specs, id)
  if (text and redis.sha1hex(text) or '') ~= ARGV[a + 2] then return 'conflict' end
  local state, flags, planned, sid, owner, ends, crashes, rev, pos, committed = read(ARGV[a + 1])
  local to, kind, at = way(committed)

  redis.call('HDEL', specs, id)
  redis.call('ZREM', due, id)
  redis.call('HDEL', last, id)
  for f = a + 9, a + 7 + 2 * tonumber(ARGV[a + 8]), 2 do
    if redis.call('HGET', incidents, ARGV[f]) == ARGV[f + 1] then redis.call('HDEL', incidents, ARGV[f]) end
  end
  redis.call('HSET', runs, id, 't - ' .. planned .. ' - - 0 0 ' .. rev .. ' >' .. to .. '/' .. ARGV[a + 3] .. '/' .. at .. '/' ..
    nonce(committed) .. ' - ' .. int(now + tonumber(ARGV[a + 4])))
  if ARGV[a + 5] ~= '' then
    redis.call('HSET', incidents, ARGV[a + 5], ARGV[a + 6])
    redis.call('XADD', changes, 'MAXLEN', '~', ARGV[1], '*', 'event', ARGV[a + 7])
  end
  return 'gone'
end

local reply, i = {}, 2
while i <= #ARGV do
  reply[#reply + 1] = depart(i)
  i = i + 9 + 2 * tonumber(ARGV[i + 8])
end
return reply
