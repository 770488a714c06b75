-- arrive: take checks in that were frozen in another lane.
--
-- KEYS[1] specs      HASH  check id -> spec
-- KEYS[2] runs       HASH  check id -> run record
-- KEYS[3] due        ZSET  check id -> due time, unix ms
-- KEYS[4] last       HASH  check id -> last record
-- KEYS[5] incidents  HASH  incident id -> incident, and what stands beside it
-- ARGV[1...] id, record, spec, last, n, and n fields and values of incidents: what
-- the other lane has of each check; record is the frozen one, spec and last
-- may be empty
-- Returns for each check: taken; kept, what is here is as new, or newer; behind,
-- it is here with an older spec: the caller adopts the newer one; busy, one that
-- was removed here still runs, or a newer one is expected; bad, one of the records is junk.

local specs, runs, due, last, incidents = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local wrong = wrong_type(specs, 'hash', runs, 'hash', due, 'zset', last, 'hash', incidents, 'hash')
if wrong then return wrong end

removing(runs)

-- apart is by how much the clocks of two servers may differ, ms. No check leaves
-- a lane sooner than 5 s after it came.
local apart = 2000

-- verdict compares what stands here with a check of that revision that was
-- frozen elsewhere at a time: nil to take it in.
local function verdict(rec, rev, at)
  local state, flags, planned, sid, owner, ends, crashes, was, pos, committed = read(rec)
  if not state then return 'bad' end
  local to, kind, left = way(committed)
  local cmp = rev_cmp(rev, was)
  if kind == 'c' then
    -- it is not here, whatever the revision: one that is too old is not the
    -- one that is expected, or its request was never applied
    if cmp < 0 then return 'busy' end
  elseif cmp == 0 and to then
    -- a binary moved it that did not raise the counter: it comes back, unless it
    -- left after it was frozen there
    if tonumber(left) > at + apart then return 'kept' end
  elseif cmp <= 0 then
    return 'kept'
  end
  if owner ~= '-' and state == 't' then return 'busy' end
  if state ~= 't' and not to then return 'behind' end
  return nil, planned, to and state == 'b'
end

local function arrive(id, frozen, spec, latest, fields)
  local state, flags, planned, sid, owner, ends, crashes, rev, pos, committed, sha, first = read(frozen)
  local to, kind, at = way(committed or '')
  if state ~= 'b' or not to then return 'bad' end
  local rec = redis.call('HGET', runs, id)
  if rec then
    local answer, before, over = verdict(rec, rev, tonumber(at))
    if answer then return answer end
    if num_before(planned, before) then planned = before end
    if over then redis.call('HDEL', specs, id) end
  end

  -- a text that a hand has written here stays: repair sees that it is another
  if spec ~= '' then redis.call('HSETNX', specs, id, spec) end
  if latest ~= '' then redis.call('HSET', last, id, latest) end
  if #fields > 0 then redis.call('HSET', incidents, unpack(fields)) end
  local word = kind == 'w' and 'w - ' or kind == 'p' and 'w p ' or 'b - '
  redis.call('HSET', runs, id, word .. planned .. ' - - 0 ' .. crashes .. ' ' .. rev_bump(rev) .. ' ' .. nonce(committed) .. ' ' .. sha .. ' 0')
  if kind == 'w' then redis.call('ZADD', due, first, id) end
  return 'taken'
end

local reply, i = {}, 1
while i <= #ARGV do
  local n = tonumber(ARGV[i + 4])
  reply[#reply + 1] = arrive(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], { unpack(ARGV, i + 5, i + 4 + 2 * n) })
  i = i + 5 + 2 * n
end
return reply
