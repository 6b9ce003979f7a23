# frozen_string_literal: true

# SketchUp's dialog and timers as far as samples/sketchup-host needs them, over stdin and stdout (PROTOCOL.md section 9).
require 'io/wait'
require 'json'

module UI
  @timers = {}

  class HtmlDialog
    STYLE_DIALOG = 0

    def initialize(**); end

    def add_action_callback(name, &callback)
      @callback = callback if name == 'mortise'
    end

    def set_url(url)
      Panel.write(control: 'nonce', nonce: url[/#mortise-nonce=([\w-]+)\z/, 1])
    end

    def set_on_closed; end

    def show
      Panel.dialog = self
    end

    def execute_script(script)
      Panel.print(JSON.parse(script[/\AmortiseReceive\((.*)\)\z/m, 1]))
    end

    def say(text)
      @callback.call(nil, text)
    end
  end

  def self.openURL(url)
    Panel.write(control: 'browser', url: url)
    true
  end

  def self.start_timer(_seconds, _is_repeated, &task)
    @timers[task] = task
    task
  end

  def self.stop_timer(timer)
    @timers.delete(timer)
  end

  def self.tick
    @timers.values.each(&:call)
  end
end

module Panel
  class << self
    attr_accessor :dialog

    def print(text)
      $stdout.write("#{text}\n")
      $stdout.flush
    end

    def write(line)
      print(JSON.generate(line))
    end

    def load
      @panel&.leave
      @panel = Acme::MortisePanel.new('https://panel.acme.example/', 'SketchUp, in name only')
      @panel.show
    end

    def take(text)
      line = begin
        JSON.parse(text)
      rescue JSON::ParserError
        nil
      end
      case line.is_a?(Hash) && line['control']
      when 'load' then load
      when 'leave' then @panel.leave
      else dialog.say(text)
      end
    end
  end
end

$stdin.set_encoding('UTF-8')
$stdout.set_encoding('UTF-8')
require_relative '../../samples/sketchup-host/mortise_panel'
Panel.load
rest = +''
loop do
  if $stdin.wait_readable(0.02)
    piece = $stdin.read_nonblock(65_536, exception: false)
    break if piece.nil?

    rest << piece.force_encoding('UTF-8') unless piece == :wait_readable
    Panel.take(rest.slice!(0..rest.index("\n")).chomp) while rest.include?("\n")
  end
  UI.tick
end
