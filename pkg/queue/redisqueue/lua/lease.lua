-- lease: give a worker the right to run entries that were delivered to it.
--
-- KEYS[1] ready     STREAM  entries {id, due}
-- KEYS[2] runs      HASH    check id -> run record
-- KEYS[3] specs     HASH    check id -> spec
-- ARGV[1] group     consumer group of ready
-- ARGV[2] token     the lease's owner: worker, slash, random
-- ARGV[3] lease     ms
-- ARGV[4] suspects  how many checks with 2 or more crashes may be taken
-- ARGV[5] bytes     most bytes of specs in the reply
-- ARGV[6] maxspec   longest spec, bytes
-- ARGV[7...] sid, id, rev: one triple an entry; rev is the one that the worker has
-- Returns {now, code, ...}: for codes 0 leased and 1 taken over after a lease
-- that ran out, rev, crashes and spec follow; 2 discarded, 3 another owner has
-- it, 4 later, 5 bad record, 6 leased with no crashes and the worker's rev.

local ready, runs, specs = KEYS[1], KEYS[2], KEYS[3]
local wrong = wrong_type(ready, 'stream', runs, 'hash', specs, 'hash')
if wrong then return wrong end

local group, token, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local suspects, bytes, maxspec = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local now = server_ms()
local expiry = int(now + lease)
local ids, n = {}, (#ARGV - 6) / 3
for i = 1, n do ids[i] = ARGV[5 + 3 * i] end
local recs = redis.call('HMGET', runs, unpack(ids))
local reply, drop, sets, size = { now }, {}, {}, 0

for i = 1, n do
  local rec, id, code = recs[i], ids[i], 5
  local state, flags, planned, sid, owner, ends, crashes, rev, pos
  if rec then
    state, flags, planned, sid, owner, ends, crashes, rev, pos = match(rec, HEAD)
  end
  if not rec or (state and sid ~= ARGV[4 + 3 * i]) then
    code = 2
  elseif state == 'q' then
    code = 0
  elseif state == 'l' or state == 't' then
    code = 3
    if owner == token then
      code = 0
    elseif tonumber(ends) <= now then
      code, crashes = 1, int(tonumber(crashes) + 1)
    elseif tonumber(ends) > now + lease then
      -- the server's clock was set back: no lease is longer than this
      sets[#sets + 1] = id
      sets[#sets + 1] = state .. ' ' .. flags .. ' ' .. planned .. ' ' .. sid .. ' ' .. owner .. ' ' .. expiry .. ' ' .. crashes .. ' ' .. rev .. ' ' .. sub(rec, pos)
    end
    if state == 't' and code ~= 3 then code = 2 end
  end

  local spec = ''
  if code < 2 and flags ~= '-' and find(flags, 'p', 1, true) then
    code = 2
  elseif code < 2 and size > bytes then
    code = 4
  elseif code < 2 then
    if crashes ~= '0' and tonumber(crashes) >= 2 and owner ~= token then
      if suspects <= 0 then code = 4 else suspects = suspects - 1 end
    end
    if code < 2 and rev ~= ARGV[6 + 3 * i] then
      local length = redis.call('HSTRLEN', specs, id)
      if length == 0 or length > maxspec then
        code = 2
      elseif size > 0 and size + length > bytes then
        code = 4
      else
        spec = redis.call('HGET', specs, id)
        size = size + length
      end
    end
  end

  if code == 0 and spec == '' and crashes == '0' then
    reply[#reply + 1] = 6
  else
    reply[#reply + 1] = code
    if code < 2 then
      local m = #reply
      reply[m + 1], reply[m + 2], reply[m + 3] = rev, crashes, spec
    end
  end
  if code < 2 then
    if owner ~= token then
      sets[#sets + 1] = id
      sets[#sets + 1] = 'l - ' .. planned .. ' ' .. sid .. ' ' .. token .. ' ' .. expiry .. ' ' .. crashes .. ' ' .. rev .. ' ' .. sub(rec, pos)
    end
  elseif code == 2 then
    drop[#drop + 1] = ARGV[4 + 3 * i]
    if state and sid == ARGV[4 + 3 * i] then
      local kept = state == 't' and 't' or 'w'
      sets[#sets + 1] = id
      sets[#sets + 1] = kept .. ' ' .. flag(flag(flags, 'a', false), 'v', false) .. ' ' .. planned .. ' - - 0 ' .. crashes .. ' ' .. rev .. ' ' .. sub(rec, pos)
    end
  end
end

if #drop > 0 then
  redis.call('XACK', ready, group, unpack(drop))
  redis.call('XDEL', ready, unpack(drop))
else
  redis.call('HDEL', runs, '')
end
if #sets > 0 then redis.call('HSET', runs, unpack(sets)) end
return reply
