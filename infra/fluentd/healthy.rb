# Fluentd answers, and has room to keep lines while Elasticsearch is away.
require 'json'
require 'net/http'

LEAST_ROOM_PERCENT = 10

answer = Net::HTTP.get(URI('http://127.0.0.1:24220/api/plugins.json'))
outputs = JSON.parse(answer).fetch('plugins').select { |plugin| plugin['output_plugin'] }
full = outputs.select { |plugin| (plugin['buffer_available_buffer_space_ratios'] || 100) < LEAST_ROOM_PERCENT }
abort("nearly full: #{full.map { |plugin| plugin['plugin_id'] }.join(', ')}") unless full.empty?
