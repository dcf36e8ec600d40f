[{app, [{password, Password}, {token, undefined}, {secret, "secret"}]}].
