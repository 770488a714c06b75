-- sweep: clear what is left of checks that have no spec.
--
-- KEYS[1] specs  HASH  check id -> spec
-- KEYS[2] runs   HASH  check id -> run record
-- KEYS[3] due    ZSET  check id -> due time, unix ms
-- KEYS[4] last   HASH  check id -> last record
-- ARGV[1] mend   1, or 0 to look only
-- ARGV[2] stones  1: tombstones are told of too
-- ARGV[3...] ids
-- Returns for each id what is wrong, empty for nothing:
--   vanished  a record without a spec: the caller removes it
--   done       a one-shot that ran: the caller removes it (nothing was wrong)
--   stray      due or with a last record, but without spec and record; mended: dropped
--   expired    a tombstone past its time; mended: dropped (nothing was wrong)
--   frozen     without a spec, on its way to another lane: the caller carries it on
--   tombstone  one of a check that was removed and does not run (nothing is wrong)

local specs, runs, due, last = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local wrong = wrong_type(specs, 'hash', runs, 'hash', due, 'zset', last, 'hash')
if wrong then return wrong end

local now, mend, reply = server_ms(), ARGV[1] == '1', {}

local function sweep(id)
  local rec = redis.call('HGET', runs, id)
  local state, flags, planned, sid, owner, ends, crashes, rev, pos, committed, sha, first
  if rec then
    state, flags, planned, sid, owner, ends, crashes, rev, pos, committed, sha, first = read(rec)
  end
  local dead
  if state == 't' then
    if tonumber(first) > now then
      dead = redis.call('ZSCORE', due, id) or redis.call('HEXISTS', last, id) == 1
      if not dead then
        return ARGV[2] == '1' and owner == '-' and not way(committed) and 'tombstone' or ''
      end
      if mend then
        redis.call('ZREM', due, id)
        redis.call('HDEL', last, id)
      end
      return 'stray'
    end
    if mend then redis.call('HDEL', runs, id) end
    return 'expired'
  end
  if state == 'd' then return 'done' end
  if redis.call('HEXISTS', specs, id) == 1 then return '' end
  if rec then
    if state then return state == 'b' and way(committed) and 'frozen' or 'vanished' end
    if mend then redis.call('HDEL', runs, id) end
    return 'stray'
  end
  if mend then
    redis.call('ZREM', due, id)
    redis.call('HDEL', last, id)
  end
  return 'stray'
end

for i = 3, #ARGV do reply[i - 2] = sweep(ARGV[i]) end
return reply
