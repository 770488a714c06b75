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
-- ARGV[3] runs       how many runs, n
-- ARGV[4] usual      1 when every run has a record that follows, a next time and a result
-- ARGV[5...] n ids; n sids; n held, the records that lease wrote; n after, the record
-- to be put in place of held when that still stands there, empty: the script makes one;
-- n next, unix ms, 0 for never; n last, empty: nothing is recorded
-- ARGV[...] run, kind, key, value: what few runs have: of the run with that number,
-- crashed (key and value empty: the crash count stays), event (value, where it is not
-- the same as last), incident (id and incident), standing (the same, of an incident that
-- did not change: written only where it was lost) or change (value is the event)
-- Returns a code for each run: 0 done, 1 stale, 2 the check was removed, 3 bad record;
-- or -1 alone: all are done.

local ready, runs, due, last = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local results, incidents, changes = KEYS[5], KEYS[6], KEYS[7]
local wrong = wrong_type(ready, 'stream', runs, 'hash', due, 'zset', last, 'hash',
  results, 'stream', incidents, 'hash', changes, 'stream')
if wrong then return wrong end

local now, n = server_ms(), tonumber(ARGV[3])
-- where the parts of ARGV begin, less one
local SID, HELD, AFTER, NEXT, LAST, EXTRA = 4 + n, 4 + 2 * n, 4 + 3 * n, 4 + 4 * n, 4 + 5 * n, 4 + 6 * n
local recs = redis.call('HMGET', runs, unpack(ARGV, 5, SID))

-- before compares two ids of stream entries; those of one length in no time.
local function before(a, b)
  if #a == #b then return a < b end
  return rev_cmp(a, b) < 0
end

-- clear takes the entries of runs that ended out of the stream. Those in front
-- of all that is pending go at once with their nodes, which is far cheaper
-- than one by one, but only when the pending list knew them all: then whatever
-- stands before them was delivered, and ended.
local function clear(ids, count)
  local known = redis.call('XACK', ready, ARGV[1], unpack(ids))
  local front = known == count and redis.call('XPENDING', ready, ARGV[1], '-', '+', 1)
  local floor = front and front[1] and front[1][1]
  local last, rest, n = '0-0', {}, 0
  for i = 1, count do
    local sid = ids[i]
    if not front or floor and before(floor, sid) then
      n = n + 1
      rest[n] = sid
    elseif #last == #sid and last < sid or before(last, sid) then
      last = sid
    end
  end
  if last ~= '0-0' then
    local ms, seq = match(last, '^(%d+)%-(%d+)$')
    redis.call('XTRIM', ready, 'MINID', ms .. '-' .. int(tonumber(seq) + 1))
  end
  if n > 0 then redis.call('XDEL', ready, unpack(rest)) end
end

-- what few runs have
local crashed, event = {}, {}
for a = EXTRA + 1, #ARGV, 4 do
  local i, kind = tonumber(ARGV[a]), ARGV[a + 1]
  if kind == 'crashed' then
    crashed[i] = true
  elseif kind == 'event' then
    event[i] = ARGV[a + 3]
  end
end

-- publish appends the results of the runs in seen, or of all.
local function publish(seen)
  for i = 1, n do
    if not seen or seen[i] and ARGV[LAST + i] ~= '' then
      redis.call('XADD', results, '*', 'event', event[i] or ARGV[LAST + i])
    end
  end
  redis.call('XTRIM', results, 'MAXLEN', '~', ARGV[2])
  for a = EXTRA + 1, #ARGV, 4 do
    if not seen or seen[tonumber(ARGV[a])] then
      if ARGV[a + 1] == 'incident' then
        redis.call('HSET', incidents, ARGV[a + 2], ARGV[a + 3])
      elseif ARGV[a + 1] == 'standing' then
        redis.call('HSETNX', incidents, ARGV[a + 2], ARGV[a + 3])
      elseif ARGV[a + 1] == 'change' then
        redis.call('XADD', changes, 'MAXLEN', '~', ARGV[2], '*', 'event', ARGV[a + 3])
      end
    end
  end
end

local same = 0
while same < n and recs[same + 1] == ARGV[HELD + same + 1] do same = same + 1 end

local sets, scores, lasts = {}, {}, {}
if same == n and ARGV[4] == '1' then
  -- the usual batch: nothing happened to any of these checks during its run
  for i = 1, n do
    local id, k = ARGV[4 + i], 2 * i
    sets[k - 1], sets[k] = id, ARGV[AFTER + i]
    scores[k - 1], scores[k] = ARGV[NEXT + i], id
    lasts[k - 1], lasts[k] = id, ARGV[LAST + i]
  end
  clear({ unpack(ARGV, SID + 1, HELD) }, n)
  redis.call('HSET', runs, unpack(sets))
  redis.call('ZADD', due, 'LT', unpack(scores))
  redis.call('HSET', last, unpack(lasts))
  publish()
  return { -1 }
end

local reply, sids, seen = {}, {}, {}
local ended, placed, told = 0, 0, 0

-- ending writes down that a run ends, what its record becomes, and when the
-- check is due: empty for not at all.
local function ending(id, sid, rec, at)
  ended = ended + 1
  sids[ended], sets[2 * ended - 1], sets[2 * ended] = sid, id, rec
  if at ~= '' then
    scores[placed + 1], scores[placed + 2] = at, id
    placed = placed + 2
  end
end

-- record notes what the i-th run found.
local function record(i)
  seen[i] = true
  if ARGV[LAST + i] ~= '' then
    lasts[2 * told + 1], lasts[2 * told + 2] = ARGV[4 + i], ARGV[LAST + i]
    told = told + 1
  end
end

-- changed ends a run whose record is not the one that lease wrote.
local function changed(i, rec)
  local id, h = ARGV[4 + i], {}
  for word in string.gmatch(ARGV[HELD + i], '[^ ]+') do h[#h + 1] = word end
  local token, was = h[5], h[8]
  local state, flags, planned, sid, owner, ends, crashes, rev, pos, committed, sha, first = read(rec)
  if not state then return 3 end
  if owner ~= token then return nonce(committed) == nonce(token) and 0 or 1 end
  local mark = first == '1' -- no time, but that the check is to move
  local paused = find(flags, 'p', 1, true)
  if state == 't' or find(flags, 'v', 1, true) then
    local word = state == 't' and 't - ' or paused and 'w p ' or 'w - '
    -- set anew during the run: it begins when it would have without that
    local at = word == 'w - ' and ((first == '0' or mark) and int(now) or first) or ''
    if state ~= 't' and not mark then first = '0' end
    ending(id, sid, word .. planned .. ' - - 0 0 ' .. rev .. ' - ' .. sha .. ' ' .. first, at)
    return 2
  end
  local at, word = ARGV[NEXT + i], 'w - '
  if was ~= rev and first ~= '0' and not mark then at = first end
  if find(flags, 'a', 1, true) and (at == '0' or tonumber(at) > now) then at = int(now) end
  if paused then
    word, at = 'w p ', ''
  elseif at == '0' then
    word, at = 'd - ', ''
  end
  if not crashed[i] then crashes = '0' end
  ending(id, sid, word .. planned .. ' - - 0 ' .. crashes .. ' ' .. rev .. ' ' .. nonce(token) .. ' ' .. sha .. (mark and ' 1' or ' 0'), at)
  record(i)
  return 0
end

for i = 1, n do
  local rec = recs[i]
  if not rec then
    reply[i] = 1
  elseif rec == ARGV[HELD + i] then
    local at = ARGV[NEXT + i]
    ending(ARGV[4 + i], ARGV[SID + i], ARGV[AFTER + i], at == '0' and '' or at)
    record(i)
    reply[i] = 0
  else
    reply[i] = changed(i, rec)
  end
end

if ended == 0 then return reply end
clear(sids, ended)
redis.call('HSET', runs, unpack(sets))
if placed > 0 then redis.call('ZADD', due, 'LT', unpack(scores)) end
if told > 0 then redis.call('HSET', last, unpack(lasts)) end
publish(seen)
return reply
