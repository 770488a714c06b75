-- complete: end runs: write what they found, put their checks back.
--
-- KEYS[1] ready      STREAM  entries {id, due}
-- KEYS[2] runs       HASH    check id -> run record
-- KEYS[3] due        ZSET    check id -> due time, unix ms
-- KEYS[4] last       HASH    check id -> last record
-- KEYS[5] results    STREAM  entries {event}
-- KEYS[6] incidents  HASH    incident id -> incident
-- KEYS[7] changes    STREAM  entries {event}
-- ARGV[1] group      consumer group of ready
-- ARGV[2] keep       results and changes kept, about
-- ARGV[3...] sid, id, token, rev, next, crashed, last, event, incident id, incident,
-- change: eleven a run. next is unix ms, 0 for never; crashed 1 keeps the crash count;
-- last and event empty: nothing is recorded
-- Returns a code for each run: 0 done, 1 stale, 2 the check was removed, 3 bad record.

local ready, runs, due, last = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local results, incidents, changes = KEYS[5], KEYS[6], KEYS[7]
local wrong = wrong_type(ready, 'stream', runs, 'hash', due, 'zset', last, 'hash',
  results, 'stream', incidents, 'hash', changes, 'stream')
if wrong then return wrong end

local now = server_ms()
local ids, n = {}, (#ARGV - 2) / 11
for i = 1, n do ids[i] = ARGV[11 * i - 7] end
local recs = redis.call('HMGET', runs, unpack(ids))
local reply, sids, sets, scores, lasts, opens = {}, {}, {}, {}, {}, {}
local events, news, seen = {}, {}, {}

for i = 1, n do
  local a = 11 * i - 9
  local rec, id, token, code = recs[i], ids[i], ARGV[a + 3], 1
  if seen[id] == token then
    code = 0
  elseif rec then
    local state, flags, planned, sid, owner, ends, crashes, pos = match(rec, HEAD)
    local committed, rev, sha, first
    if state then committed, rev, sha, first = match(rec, TAIL, pos) end
    if not rev then
      code = 3
    elseif owner == token and (state == 't' or find(flags, 'v', 1, true)) then
      code, seen[id] = 2, token
      if state ~= 't' then
        state = 'w'
        if not find(flags, 'p', 1, true) then
          scores[#scores + 1], scores[#scores + 2] = int(now), id
        end
      end
      sids[#sids + 1] = sid
      sets[#sets + 1] = id
      sets[#sets + 1] = state .. ' ' .. flag(flag(flags, 'a', false), 'v', false) .. ' ' .. planned .. ' - - 0 0 - ' .. rev .. ' ' .. sha .. ' ' .. first
    elseif owner == token and state == 'l' then
      code, seen[id] = 0, token
      local at, done = ARGV[a + 5], 'w'
      if ARGV[a + 4] ~= rev then at = first end
      if at == '0' then done = 'd' end
      if flags ~= '-' then
        if find(flags, 'a', 1, true) and (at == '0' or tonumber(at) > now) then at, done = int(now), 'w' end
        if find(flags, 'p', 1, true) then at, done, flags = '0', 'w', 'p' else flags = '-' end
      end
      if at ~= '0' then scores[#scores + 1], scores[#scores + 2] = at, id end
      if ARGV[a + 6] ~= '1' then crashes = '0' end
      sids[#sids + 1] = sid
      sets[#sets + 1] = id
      sets[#sets + 1] = done .. ' ' .. flags .. ' ' .. planned .. ' - - 0 ' .. crashes .. ' ' .. nonce(token) .. ' ' .. rev .. ' ' .. sha .. ' ' .. first
      if ARGV[a + 7] ~= '' then lasts[#lasts + 1], lasts[#lasts + 2] = id, ARGV[a + 7] end
      if ARGV[a + 8] ~= '' then events[#events + 1] = ARGV[a + 8] end
      if ARGV[a + 9] ~= '' then opens[#opens + 1], opens[#opens + 2] = ARGV[a + 9], ARGV[a + 10] end
      if ARGV[a + 11] ~= '' then news[#news + 1] = ARGV[a + 11] end
    elseif committed == nonce(token) then
      code = 0
    end
  end
  reply[i] = code
end

if #sids == 0 then return reply end
redis.call('XACK', ready, ARGV[1], unpack(sids))
redis.call('XDEL', ready, unpack(sids))
redis.call('HSET', runs, unpack(sets))
if #scores > 0 then redis.call('ZADD', due, 'LT', unpack(scores)) end
if #lasts > 0 then redis.call('HSET', last, unpack(lasts)) end
for i = 1, #events do redis.call('XADD', results, '*', 'event', events[i]) end
if #events > 0 then redis.call('XTRIM', results, 'MAXLEN', '~', ARGV[2]) end
if #opens > 0 then redis.call('HSET', incidents, unpack(opens)) end
for i = 1, #news do redis.call('XADD', changes, 'MAXLEN', '~', ARGV[2], '*', 'event', news[i]) end
return reply
