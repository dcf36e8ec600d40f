config.secret_key_base = Rails.application.credentials.secret_key_base
password = ENV.fetch("DB_PASSWORD")
:password => params[:password],
api_key: Settings.api_key,
token ||= SecureRandom.hex(20)
validates :password, length: { minimum: 8 }
has_secure_password
key: "index_users_on_reset_password_token",
default['postgresql']['password']['label'] = 'Database password'
