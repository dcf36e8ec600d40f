${ADMIN_PASSWORD}    «Ferry!Lamp88»
