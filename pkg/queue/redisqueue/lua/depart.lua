-- depart: let checks go that have arrived in another lane.
--
-- KEYS[1] specs      HASH  check id -> spec
-- KEYS[2] runs       HASH  check id -> run record
-- KEYS[3] due        ZSET  check id -> due time, unix ms
-- KEYS[4] last       HASH  check id -> last record
-- KEYS[5] incidents  HASH  incident id -> incident, and what stands beside it
-- ARGV[1...] id, record, sha, kind, ttl, incident, text: seven a check. record is the
-- frozen one; sha the sha1 of the spec, empty for none; kind m or z, see the prelude;
-- ttl for how long the record stays, ms; incident is the open one, with its text,
-- both empty for none: it goes too, unless it is another text by now
-- Returns for each check: gone; or conflict, something here is another by now.

local specs, runs, due, last, incidents = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local wrong = wrong_type(specs, 'hash', runs, 'hash', due, 'zset', last, 'hash', incidents, 'hash')
if wrong then return wrong end

local now, reply = server_ms(), {}

local function depart(id, frozen, sha, word, ttl, incident, open)
  if redis.call('HGET', runs, id) ~= frozen then return 'conflict' end
  local text = redis.call('HGET', specs, id)
  if (text and redis.sha1hex(text) or '') ~= sha then return 'conflict' end
  local state, flags, planned, sid, owner, ends, crashes, rev, pos, committed = read(frozen)
  local to, kind, at = way(committed)

  redis.call('HDEL', specs, id)
  redis.call('ZREM', due, id)
  redis.call('HDEL', last, id)
  if incident ~= '' and redis.call('HGET', incidents, incident) == open then redis.call('HDEL', incidents, incident) end
  redis.call('HSET', runs, id, 't - ' .. planned .. ' - - 0 0 ' .. rev .. ' >' .. to .. '/' .. word .. '/' .. at .. '/' ..
    nonce(committed) .. ' - ' .. int(now + tonumber(ttl)))
  return 'gone'
end

for i = 1, #ARGV, 7 do
  reply[#reply + 1] = depart(unpack(ARGV, i, i + 6))
end
return reply
