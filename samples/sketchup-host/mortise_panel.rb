# frozen_string_literal: true

# Not run: no SketchUp was at hand. Written against adapters/webview/PROTOCOL.md; section numbers are its.
require 'json'
require 'securerandom'
require 'socket'
require 'uri'

module Acme
  # Shows one panel in an HtmlDialog, and serves it. Everything runs on SketchUp's one thread, so nothing here waits.
  class MortisePanel
    MAX_MESSAGE_BYTES = 1 << 20
    MIN_MESSAGE_BYTES = 4096
    MAX_REMEMBERED = 1000
    MAX_VISITS = 8
    LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'].freeze
    UNKNOWN_METHOD = { code: -32_601, message: 'unknown method' }.freeze

    # One of the codes of section 6, or params that cannot be read.
    class Refusal < StandardError
      attr_reader :error

      def initialize(error)
        super(error[:message])
        @error = error
      end

      def self.of(code, details = {})
        new(code: -32_000, message: code.tr('_', ' '), data: { code: code, details: details })
      end

      def self.invalid(name)
        new(code: -32_602, message: "wrong or missing: #{name}")
      end
    end

    # The page is a file, or an https address.
    def initialize(page, name)
      @page = page
      @name = name[0, 100]
      @visits = {}
      @remembered = {}
    end

    def show
      @dialog = UI::HtmlDialog.new(dialog_title: @name, width: 420, height: 640, style: UI::HtmlDialog::STYLE_DIALOG)
      @dialog.add_action_callback('mortise') { |_context, text| receive(text) }
      # SketchUp runs no script of ours before the page's own, so the secret of this load is in its address (section 2). It
      # tells of no reload either, so the secret holds until the dialog is closed.
      @nonce = SecureRandom.hex(16)
      @limit = MAX_MESSAGE_BYTES
      address = @page.start_with?('https://') ? @page : "file:///#{URI::DEFAULT_PARSER.escape(@page.sub(%r{\A/}, ''))}"
      @dialog.set_url("#{address}#mortise-nonce=#{@nonce}")
      @dialog.set_on_closed { leave }
      @dialog.show
    end

    def leave
      @nonce = nil
      @visits.each_value(&:close)
      @visits.clear
    end

    def redirected(id, url)
      visit = @visits[id]
      return if visit.nil? || url.length > 16_384

      visit.count += 1
      notify('visit.redirect', visit: id, redirect: visit.count, url: url)
    end

    private

    def receive(text)
      return if @nonce.nil? || !text.is_a?(String) || text.bytesize > MAX_MESSAGE_BYTES

      message = JSON.parse(text)
      return unless message.is_a?(Hash) && message['jsonrpc'] == '2.0' && same?(message['nonce'])

      id = message['id']
      # Of notifications `cancel` comes too late for what is answered at once, and the redirect page tells no outcome.
      return if id.nil? || !id.is_a?(String) || id.length > 200 || @remembered.key?(id)

      @remembered[id] = true
      @remembered.shift if @remembered.size > MAX_REMEMBERED
      params = message['params'].is_a?(Hash) ? message['params'] : {}
      post(**{ id: id }.merge(answer(message['method'], params)))
    rescue JSON::JSONError, EncodingError
      nil # No JSON, or no text that could be sent back.
    end

    def answer(method, params)
      case method
      when 'hello' then { result: greet(params) }
      when 'visit.open' then { result: open_visit(params) }
      when 'visit.navigate' then { result: navigate(params) }
      when 'visit.close' then { result: close_visit(params) }
      else { error: UNKNOWN_METHOD }
      end
    rescue Refusal => e
      { error: e.error }
    rescue StandardError => e
      # What it says may quote what was sent, so it stays here.
      { error: Refusal.of('bridge_unavailable', problem: e.class.name).error }
    end

    def greet(params)
      said = params.fetch('maxMessageBytes', @limit)
      raise Refusal.invalid('maxMessageBytes') unless said.is_a?(Numeric) && said >= MIN_MESSAGE_BYTES

      @limit = [@limit, said].min.to_i
      { protocol: 1, name: @name, offers: ['browser'] }
    end

    def open_visit(params)
      raise Refusal.invalid('capture') unless params['capture'] == 'host'
      # Left by a page that was reloaded, of which SketchUp tells nobody (section 2).
      close_visit('visit' => @visits.each_key.first) if @visits.size >= MAX_VISITS

      id = SecureRandom.hex(16)
      @visits[id] = LoopbackVisit.reserve(params['redirect']) { |url| redirected(id, url) }
      { visit: id, redirectUri: @visits[id].redirect_uri }
    end

    def navigate(params)
      raise Refusal.invalid('visit') unless @visits.key?(params['visit'])

      url = params['url']
      raise Refusal.invalid('url') unless url.is_a?(String) && url.length <= 16_384 && web?(url)
      raise Refusal.of('browser_not_opened') unless UI.openURL(url)

      {}
    end

    def close_visit(params)
      visit = @visits.delete(params['visit'])
      visit&.close
      {}
    end

    def notify(method, params)
      post(method: method, params: params)
    end

    def post(**message)
      return if @nonce.nil?

      text = JSON.generate({ jsonrpc: '2.0', nonce: @nonce }.merge(message))
      # JSON, and so a text for JavaScript as well; these two end a line in engines before ES2019.
      quoted = JSON.generate(text).gsub("\u2028", '\u2028').gsub("\u2029", '\u2029')
      @dialog.execute_script("mortiseReceive(#{quoted})") if text.bytesize <= @limit
    end

    # Looks at every byte, so that the time it takes tells nothing.
    def same?(nonce)
      return false unless nonce.is_a?(String) && nonce.bytesize == @nonce.bytesize

      nonce.bytes.zip(@nonce.bytes).reduce(0) { |difference, (a, b)| difference | (a ^ b) }.zero?
    end

    def web?(url)
      return false if url.match?(/[^!-~]|\\/)

      uri = URI.parse(url)
      return false if uri.userinfo

      uri.scheme == 'https' || (uri.scheme == 'http' && LOOPBACK.include?(uri.host))
    rescue URI::InvalidURIError
      false
    end
  end

  # Listens on loopback alone (RFC 8252 section 7.3). Asked by a timer, since SketchUp runs no threads while it waits.
  class LoopbackVisit
    POLL_S = 0.1
    LONGEST_HEAD = 32_768
    LONGEST_HEAD_S = 5
    MAX_CLIENTS = 16
    Client = Struct.new(:socket, :head, :ends_at)
    PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Done</title><h1>Done</h1><p>Go back to SketchUp.'
    HEADERS = "content-type: text/html; charset=utf-8\r\ncache-control: no-store\r\nreferrer-policy: no-referrer\r\n" \
              "x-content-type-options: nosniff\r\ncontent-security-policy: default-src 'none'; frame-ancestors 'none'\r\n" \
              "connection: close\r\n"

    attr_reader :redirect_uri
    attr_accessor :count

    def self.reserve(rule, &redirected)
      places = places_of(rule)
      places.each do |host, port, spell|
        return new(host, port, spell, redirected)
      rescue SystemCallError
        next
      end
      raise MortisePanel::Refusal.of('redirect_port_in_use', ports: places.map { |place| place[1] }.reject(&:zero?))
    end

    def self.places_of(rule)
      if rule.is_a?(Array)
        texts = rule.select { |text| text.is_a?(String) && text.match?(%r{\Ahttp://(127\.0\.0\.1|localhost)(:\d{1,5})?(/[!-"$-~]*)?\z}) }
        places = texts.map { |text| [URI.parse(text).host, URI.parse(text).port, ->(_bound) { text }] }
        places.select! { |_, port, _| port.between?(1, 65_535) }
        raise MortisePanel::Refusal.of('configuration_error', problem: 'no redirect URI is on loopback') if places.empty?

        return places
      end
      host = rule.is_a?(Hash) && rule['loopback']
      path = rule.is_a?(Hash) && rule['path']
      known = %w[127.0.0.1 localhost].include?(host) && path.is_a?(String) && (path.empty? || path.start_with?('/'))
      raise MortisePanel::Refusal.invalid('redirect') unless known

      ports = rule['ports'] == 'any' ? [0, 0, 0, 0] : Array(rule['ports'])
      are_ports = !ports.empty? && ports.size <= 64 && ports.all? { |port| (0..65_535).cover?(port) && port.is_a?(Integer) }
      raise MortisePanel::Refusal.invalid('redirect') unless are_ports

      ports.map { |port| [host, port, ->(bound) { "http://#{host}:#{bound}#{path}" }] }
    end

    def initialize(host, port, spell, redirected)
      @redirected = redirected
      @count = 0
      # The oldest first.
      @clients = []
      @servers = [TCPServer.new('127.0.0.1', port)]
      bound = @servers.first.addr[1]
      listen_on_ipv6(bound) if host == 'localhost'
      @redirect_uri = spell.call(bound)
      uri = URI.parse(@redirect_uri)
      @path = uri.path.empty? ? '/' : uri.path
      @authority = uri.port == 80 ? host : "#{host}:#{uri.port}"
      @timer = UI.start_timer(POLL_S, true) { poll }
    end

    def close
      UI.stop_timer(@timer)
      (@servers + @clients.map(&:socket)).each(&:close)
      @servers = []
      @clients = []
    end

    private

    # A browser asks ::1 first for localhost, where no other program is to sit.
    def listen_on_ipv6(port)
      @servers << TCPServer.new('::1', port)
    rescue Errno::EADDRNOTAVAIL, Errno::EAFNOSUPPORT
      nil # A computer without IPv6.
    rescue SystemCallError
      @servers.each(&:close)
      raise
    end

    def poll
      @servers.each { |server| accept(server) }
      @clients = @clients.reject { |client| over?(client) }
      # A browser says at once what it wants, so it is never kept waiting by those who say nothing.
      @clients.shift(@clients.size - MAX_CLIENTS).each { |client| client.socket.close } if @clients.size > MAX_CLIENTS
    end

    def accept(server)
      MAX_CLIENTS.times do
        socket = server.accept_nonblock(exception: false)
        break if socket == :wait_readable

        @clients << Client.new(socket, +'', now + LONGEST_HEAD_S)
      end
    rescue SystemCallError
      nil # It has left already.
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    def over?(client)
      piece = client.socket.read_nonblock(LONGEST_HEAD, exception: false)
      client.head << piece if piece.is_a?(String)
      if client.head.include?("\r\n\r\n") then answer(client.socket, client.head)
      elsif piece.nil? || client.head.bytesize >= LONGEST_HEAD || now > client.ends_at then client.socket.close
      else return false
      end
      true
    rescue SystemCallError, IOError
      client.socket.close
      true
    end

    def answer(client, head)
      # Raw bytes are no address, and no JSON could tell of them.
      return write(client, '400 Bad Request', '') unless head.match?(%r{\A[!-~]+ [!-~]+ HTTP/1\.[01]\r\n})

      target = head[%r{\AGET (/[^\s#]{0,16300}) HTTP/1\.[01]\r\n}, 1]
      is_ours = target && head.scan(/^host:[ \t]*(\S*)[ \t]*\r$/i).flatten == [@authority]
      is_redirect = is_ours && target.split('?', 2).first == @path
      if is_ours && target == '/mortise-done'
        write(client, '200 OK', PAGE)
      elsif is_redirect
        # So that the code leaves the address bar.
        write(client, '303 See Other', '', "location: /mortise-done\r\n")
      else
        write(client, '404 Not Found', '')
      end
      @redirected.call("http://#{@authority}#{target}") if is_redirect
    end

    def write(client, status, body, more = '')
      client.write("HTTP/1.1 #{status}\r\n#{more}#{HEADERS}content-length: #{body.bytesize}\r\n\r\n#{body}")
    rescue SystemCallError, IOError
      nil # The browser has left.
    ensure
      client.close
    end
  end
end
