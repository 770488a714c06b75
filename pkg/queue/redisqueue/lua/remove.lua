-- remove: take a check away from everywhere but its tombstone.
--
-- KEYS[1] specs      HASH    check id -> spec
-- KEYS[2] runs       HASH    check id -> run record
-- KEYS[3] due        ZSET    check id -> due time, unix ms
-- KEYS[4] last       HASH    check id -> last record
-- KEYS[5] incidents  HASH    incident id -> incident
-- KEYS[6] changes    STREAM  entries {event}
-- ARGV[1] id
-- ARGV[2] rev        intake entry id; empty: the spec is gone or a one-shot is done
-- ARGV[3] last       the last record that the next three were made from
-- ARGV[4] incident id, ARGV[5] incident, ARGV[6] change: empty without an open incident
-- ARGV[7] keep       changes kept, about
-- ARGV[8] ttl        ms that the tombstone stays
-- Returns changed, missing, unchanged, repeated, older, conflict, bad, or moved: it
-- is in another lane or on its way there.

local specs, runs, due, last, incidents, changes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local wrong = wrong_type(specs, 'hash', runs, 'hash', due, 'zset', last, 'hash', incidents, 'hash', changes, 'stream')
if wrong then return wrong end

local id, rev = ARGV[1], ARGV[2]
local rec = redis.call('HGET', runs, id)
local text = redis.call('HGET', specs, id)
local state, flags, planned, sid, owner, ends, crashes, was, pos, committed, oldrec
if rec then
  state, flags, planned, sid, owner, ends, crashes, was, pos, committed, oldrec = read(rec)
  if not state then return 'bad' end
end

if rev ~= '' then
  local cmp = rec and rev_cmp(rev, was) or 1
  if cmp == 0 then return 'repeated' end
  if cmp < 0 then return 'older' end
elseif not rec or state == 't' then
  return 'unchanged'
elseif not way(committed) then
  if text and (state ~= 'd' or oldrec ~= short(redis.sha1hex(text))) then return 'unchanged' end
  rev = rev_bump(was)
end
if rec and elsewhere(state, committed) then return 'moved' end
if (redis.call('HGET', last, id) or '') ~= ARGV[3] then return 'conflict' end

redis.call('HDEL', specs, id)
redis.call('ZREM', due, id)
redis.call('HDEL', last, id)
local held = ' - - 0 0 '
if owner and owner ~= '-' then held = ' ' .. sid .. ' ' .. owner .. ' ' .. ends .. ' 0 ' end
redis.call('HSET', runs, id, 't - ' .. (planned or '0') .. held .. rev .. ' - - ' .. int(server_ms() + tonumber(ARGV[8])))
if ARGV[4] ~= '' then
  redis.call('HSET', incidents, ARGV[4], ARGV[5])
  redis.call('XADD', changes, 'MAXLEN', '~', ARGV[7], '*', 'event', ARGV[6])
end
if not text and (not rec or state == 't') then return 'missing' end
return 'changed'
