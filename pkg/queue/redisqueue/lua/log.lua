-- log: write verdicts on requests, also when memory is full.
--
-- KEYS[1] log    STREAM  entries {entry, zone, id, op, verdict, reason}
-- ARGV[1] keep   verdicts kept, about
-- ARGV[2...] entry, zone, id, op, verdict, reason: six a verdict
-- Returns how many were written.

local log = KEYS[1]
local wrong = wrong_type(log, 'stream')
if wrong then return wrong end

redis.call('XTRIM', log, 'MAXLEN', '~', ARGV[1])
for i = 2, #ARGV, 6 do
  redis.call('XADD', log, '*', 'entry', ARGV[i], 'zone', ARGV[i + 1], 'id', ARGV[i + 2],
    'op', ARGV[i + 3], 'verdict', ARGV[i + 4], 'reason', ARGV[i + 5])
end
return (#ARGV - 1) / 6
