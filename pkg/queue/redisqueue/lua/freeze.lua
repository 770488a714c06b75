-- freeze: take checks out of the schedule for their way to another lane.
--
-- KEYS[1] runs  HASH  check id -> run record
-- KEYS[2] due   ZSET  check id -> due time, unix ms
-- ARGV[1...] id, sha, lane: three a check. sha is the sha1 of the text that the
-- caller read; lane is where it goes, empty: it stays after all
-- Returns {now, ...}: for each check the record of a frozen one, or busy (it is queued, runs
-- or ends: the next dispatch freezes it), stays, missing, conflict, bad.

local runs, due = KEYS[1], KEYS[2]
local wrong = wrong_type(runs, 'hash', due, 'zset')
if wrong then return wrong end

local now = server_ms()
local reply = { now }
removing(runs)

-- when gives the due time of a waiting check: now for one that has none, or
-- none that makes sense.
local function when(id)
  local at = tonumber(redis.call('ZSCORE', due, id) or 'none')
  if not at or at ~= at or at > 1e14 then at = now end
  return int(math.max(math.floor(at), 1))
end

-- thaw puts a check back that was frozen and is nowhere else.
local function thaw(id, head, tail, at)
  redis.call('HSET', runs, id, 'w - ' .. head .. tail .. ' 0')
  redis.call('ZADD', due, at, id)
  return 'stays'
end

-- mark tells the next dispatch of a check that it is to move, or that it is not.
local function mark(id, rec, first, word)
  if first ~= word then redis.call('HSET', runs, id, sub(rec, 1, -1 - #first) .. word) end
  return word == '1' and 'busy' or 'stays'
end

local function freeze(id, sha, lane)
  local rec = redis.call('HGET', runs, id)
  if not rec then return 'missing' end
  local state, flags, planned, sid, owner, ends, crashes, rev, pos, committed, have, first = read(rec)
  if not state then return 'bad' end
  local to, kind, at = way(committed)
  local head = planned .. ' - - 0 ' .. crashes .. ' ' .. rev .. ' '
  local tail = nonce(committed) .. ' ' .. have
  if to and state == 'b' then
    if to ~= '?' then return rec end
    if lane == '' then return thaw(id, head, tail, first) end
    rec = 'b - ' .. head .. '>' .. lane .. '/' .. kind .. '/' .. at .. '/' .. tail .. ' ' .. first
    redis.call('HSET', runs, id, rec)
    return rec
  end
  if state == 't' then return 'missing' end
  if state == 'd' then return 'busy' end
  if state == 'q' or state == 'l' then
    -- a time in first is where an edit during the run begins: it stays there
    if state == 'l' and #first > 1 then return 'busy' end
    return mark(id, rec, first, lane == '' and '0' or '1')
  end
  if lane == '' then return first == '1' and mark(id, rec, first, '0') or 'stays' end
  if have ~= short(sha) then return 'conflict' end

  kind = state == 'b' and 'b' or flags == 'p' and 'p' or 'w'
  at = kind == 'w' and when(id) or '0'
  redis.call('ZREM', due, id)
  rec = 'b - ' .. head .. '>' .. lane .. '/' .. kind .. '/' .. int(now) .. '/' .. tail .. ' ' .. at
  redis.call('HSET', runs, id, rec)
  return rec
end

for i = 1, #ARGV, 3 do
  reply[#reply + 1] = freeze(ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
return reply
