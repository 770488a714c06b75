-- run: make a check due now; one that runs already runs once more after that.
--
-- KEYS[1] runs  HASH  check id -> run record
-- KEYS[2] due   ZSET  check id -> due time, unix ms
-- ARGV[1] id
-- ARGV[2] rev   the request's intake entry id
-- Returns changed, missing, older, paused, bad, or moved: it is in another lane
-- or on its way there.

local runs, due = KEYS[1], KEYS[2]
local wrong = wrong_type(runs, 'hash', due, 'zset')
if wrong then return wrong end

local id = ARGV[1]
local rec = redis.call('HGET', runs, id)
if not rec then return 'missing' end
local state, flags, planned, sid, owner, ends, crashes, was, pos, committed = read(rec)
if not state then return 'bad' end
if rev_cmp(ARGV[2], was) < 0 then return 'older' end
if elsewhere(state, committed) then return 'moved' end
if state == 't' or state == 'b' then return 'missing' end
if find(flags, 'p', 1, true) then return 'paused' end

removing(runs)
if state == 'd' then state = 'w' end
if state == 'l' then flags = flag(flags, 'a', true) end
redis.call('HSET', runs, id, state .. ' ' .. flags .. ' ' .. planned .. ' ' .. sid .. ' ' .. owner .. ' ' .. ends .. ' 0 ' .. was .. ' ' .. sub(rec, pos))
if state == 'w' then redis.call('ZADD', due, int(server_ms()), id) end
return 'changed'
